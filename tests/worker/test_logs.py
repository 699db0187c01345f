"""Log lines go out whole, or not at all."""

import io
from contextlib import suppress

from worker.logs import Lines


def test_a_line_is_written_whole_and_at_once() -> None:
    stream = io.StringIO()
    Lines(stream).info("one line")
    assert stream.getvalue() == "one line\n"


def test_a_line_that_finds_no_room_ends_nobody() -> None:
    full = open("/dev/full", "w")  # every write to it says that the disk is full
    Lines(full).warning("where to?")
    with suppress(OSError):  # what is left in its buffer finds no room either
        full.close()
