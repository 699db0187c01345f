"""A kind of work is one class: here is one that counts, and all that a worker does for it unasked."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import ClassVar

import pytest
from pydantic import JsonValue

from worker.backend import Backend
from worker.domain.principals import LOCAL
from worker.domain.work_items import Status, WorkItem
from worker.errors import LeaseLost
from worker.queue.notifier import Notifier
from worker.settings import Settings
from worker.storage import tables
from worker.storage.artifacts import Artifacts
from worker.store import Store, open_store
from worker.work.context import Context
from worker.work.kind import Kind, Running
from worker.work.kinds import attempt_at

Happening = Callable[[], None]
happenings: dict[int, Happening] = {}  # what befalls the worker when it has counted so far
counted: list[int] = []


class Count(Kind[dict[str, JsonValue]]):
    """Counts from 1 to the number that is asked for."""

    name: ClassVar[str] = "count"
    what: ClassVar[str] = "count"

    def run(self, item: WorkItem, context: Context) -> Running[dict[str, JsonValue]]:
        at = int((item.progress or {"at": 0})["at"])
        while at < int((item.request or {})["to"]):
            context.heed()
            at += 1
            counted.append(at)
            context.save({"at": at})
            yield {"at": at}
            happenings.pop(at, lambda: None)()
        return {"counted": at}


class Killed(BaseException):
    """As sudden as the end of a process: nothing of the worker's own catches it."""


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    happenings.clear()
    counted.clear()
    with closing(open_store(settings)) as opened:
        yield opened


@pytest.fixture
def attempt(store: Store, opened: Backend) -> Iterator[Callable[..., WorkItem]]:
    """Claims the item as a worker's process does, works on it, and gives what became of it."""

    def work(item_id: str, draining: bool = False) -> WorkItem:
        claim = store.work_items.claim_next(item_id, "worker", ["count"])
        assert claim is not None and claim.item_id == item_id
        means = (opened.settings, store, Artifacts(opened.settings.data_dir), notifier)
        attempt_at(claim, *means, draining=lambda: draining, kinds={"count": Count}).run()
        return store.work_items.get(LOCAL, item_id)

    with closing(Notifier(opened.broker)) as notifier:
        yield work


@pytest.fixture
def item_id(store: Store) -> str:
    return store.work_items.create(LOCAL, "count", {"to": 5}, queue="cpu", priority=5, max_queued=9).id


def kill() -> None:
    raise Killed


def expire(store: Store, item_id: str) -> Status | None:
    """Have the lease be over, and the sweeper find that."""
    with store.database.write() as connection:
        connection.execute(tables.work_items.update().values(lease_until=0))
    return store.work_items.expire(item_id)


def test_it_is_claimed_once_and_ends_with_its_result(
    store: Store, attempt: Callable[..., WorkItem], item_id: str
) -> None:
    happenings[1] = lambda: pytest.fail("claimed twice") if store.work_items.claim(item_id, "other") else None
    done = attempt(item_id)
    assert (done.state, done.result, done.progress) == (Status.SUCCEEDED, {"counted": 5}, {"at": 5})


def test_killed_and_swept_after_its_lease_it_goes_on_where_it_was(
    store: Store, attempt: Callable[..., WorkItem], item_id: str
) -> None:
    happenings[3] = kill
    with pytest.raises(Killed):
        attempt(item_id)
    assert store.work_items.expire(item_id) is None, "its lease holds"
    assert expire(store, item_id) is Status.QUEUED
    assert (attempt(item_id).state, counted) == (Status.SUCCEEDED, [1, 2, 3, 4, 5])


def test_a_drain_gives_it_back_and_a_pause_has_it_rest(
    store: Store, attempt: Callable[..., WorkItem], item_id: str
) -> None:
    assert attempt(item_id, draining=True).state is Status.QUEUED

    def ask_for_a_rest() -> None:
        with store.database.write() as connection:
            connection.execute(tables.work_items.update().values(control="pause"))

    happenings[1] = ask_for_a_rest
    rests = attempt(item_id)
    assert (rests.state, rests.progress, rests.control) == (Status.PAUSED, {"at": 2}, None)


def test_a_zombie_is_refused(store: Store, attempt: Callable[..., WorkItem], item_id: str) -> None:
    def sleep() -> None:
        expire(store, item_id)
        attempt(item_id)

    happenings[2] = sleep
    claim = store.work_items.claim(item_id, "worker")
    assert claim is not None
    assert expire(store, item_id) is Status.QUEUED
    done = attempt(item_id)
    assert (done.state, done.attempt, done.result) == (Status.SUCCEEDED, 3, {"counted": 5})
    assert counted == [1, 2, 3, 4, 5, 3], "the one that woke got no further"
    with pytest.raises(LeaseLost):
        store.work_items.save(claim, {"at": 9})
