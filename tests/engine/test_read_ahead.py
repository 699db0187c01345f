"""A thread makes what a loop will want next."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from engine.read_ahead import ahead
from tests.until import CEILING


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 4, 50])
def test_the_items_are_the_same_in_their_order(depth: int, count: int) -> None:
    assert list(ahead(iter(range(count)), depth)) == list(range(count))
    assert "read-ahead" not in threads()


def test_no_more_than_depth_and_one_are_made_before_they_are_asked_for() -> None:
    made: list[int] = []
    waiting = threading.Event()

    def items() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            if number == 3:
                waiting.set()
            yield number

    with closing(ahead(items(), 2)) as numbers:
        assert next(numbers) == 0
        assert waiting.wait(CEILING)  # 1 and 2 lie ready, 3 is in the thread's hand
        assert made == [0, 1, 2, 3]
        assert next(numbers) == 1


def test_an_error_of_making_is_raised_where_the_item_is_missed() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    found: list[int] = []
    with pytest.raises(OSError, match="the disk is gone"):
        found.extend(ahead(items(), 2))
    assert "read-ahead" not in threads()


def test_a_loop_that_ends_early_ends_the_thread_too() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(1_000_000)
        finally:
            closed.set()

    for number in ahead(items(), 2):
        if number == 5:
            break
    assert closed.wait(CEILING)
    assert "read-ahead" not in threads()
