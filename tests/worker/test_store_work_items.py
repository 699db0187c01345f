"""One worker at a time may write about a work item, whatever its kind, on either database."""

import threading
from collections.abc import Callable

import pytest

from worker.domain.ids import new_id
from worker.domain.jobs import Job
from worker.domain.principals import LOCAL
from worker.domain.work_items import Claim, Failure, Status
from worker.errors import LeaseLost, QueueFull, UnknownItem
from worker.store import CHECK_GRADIENTS, TRAIN, TenantStore

Queue = Callable[[], str]
REQUEST = {"at": "start", "epsilon": 1e-7, "sided": "two", "sample": 1000, "seed": 0}


@pytest.fixture(params=["plain", TRAIN, CHECK_GRADIENTS])
def enqueue(request: pytest.FixtureRequest, store: TenantStore, queued: Callable[[], Job]) -> Queue:
    """Queues an item of a kind with a table of its own, or without; its id."""
    if request.param == TRAIN:
        return lambda: queued().id
    if request.param == CHECK_GRADIENTS:
        return lambda: str(store.gradient_checks.create(queued().id, REQUEST, max_queued=99).item_id)
    return lambda: store.work_items.create(LOCAL, "plain", {}, queue="cpu", priority=5, max_queued=99).id


def taken(store: TenantStore, item_id: str) -> Claim:
    claim = store.work_items.claim(item_id, "worker")
    assert claim is not None
    return claim


def test_a_race_of_threads_for_an_item_has_one_winner(store: TenantStore, enqueue: Queue) -> None:
    item_id = enqueue()
    start = threading.Barrier(6)
    won: list[Claim | None] = []

    def race(number: int) -> None:
        start.wait()
        won.append(store.work_items.claim(item_id, f"worker_{number}"))

    threads = [threading.Thread(target=race, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [claim for claim in won if claim is not None]
    assert (len(won), len(winners)) == (6, 1)
    now = store.work_items.get(LOCAL, item_id)
    assert (now.state, now.attempt) == (Status.RUNNING, winners[0].attempt)


def test_writes_of_an_attempt_that_was_overtaken_are_refused(
    store: TenantStore, expiring: TenantStore, enqueue: Queue
) -> None:
    item_id = enqueue()
    old = expiring.work_items.claim(item_id, "sleeper")
    assert old is not None
    new = taken(store, item_id)
    assert (old.attempt, new.attempt) == (1, 2)
    writes: list[Callable[[], object]] = [
        lambda: store.work_items.renew(old),
        lambda: store.work_items.save(old, {"at": 9}),
        lambda: store.work_items.succeed(old, {}),
        lambda: store.work_items.fail(old, Failure("x", "y")),
        lambda: store.work_items.confirm_cancel(old),
        lambda: store.work_items.release(old, "shutdown"),
    ]
    for write in writes:
        with pytest.raises(LeaseLost):
            write()
    assert store.work_items.get(LOCAL, item_id) == new.item


def test_an_item_that_loses_every_worker_fails(store: TenantStore, expiring: TenantStore, enqueue: Queue) -> None:
    item_id = enqueue()
    for expected in (Status.QUEUED, Status.QUEUED, Status.FAILED):
        assert expiring.work_items.claim(item_id, "lost") is not None
        assert [expired for expired, _ in store.work_items.expired()] == [item_id]
        assert store.work_items.expire(item_id) is expected
        assert store.work_items.expire(item_id) is None
    failed = store.work_items.get(LOCAL, item_id)
    assert failed.error is not None and failed.error.code == "worker_lost"
    assert store.work_items.claim(item_id, "late") is None


def test_what_was_saved_is_no_setback_and_is_there_for_the_next_attempt(
    store: TenantStore, expiring: TenantStore, enqueue: Queue
) -> None:
    item_id = enqueue()
    for at in range(1, 6):
        claim = expiring.work_items.claim(item_id, "lost")
        assert claim is not None
        assert claim.item.progress == (None if at == 1 else {"at": at - 1})
        expiring.work_items.save(claim, {"at": at})
        assert store.work_items.expire(item_id) is Status.QUEUED


def test_giving_an_item_back_is_no_setback(store: TenantStore, enqueue: Queue) -> None:
    item_id = enqueue()
    for attempt in range(1, 6):
        claim = taken(store, item_id)
        assert claim.attempt == attempt
        store.work_items.release(claim, "worker_shutdown")
    assert store.work_items.get(LOCAL, item_id).state is Status.QUEUED


def test_an_end_that_is_told_twice_is_one(store: TenantStore, enqueue: Queue) -> None:
    claim = taken(store, enqueue())
    for _ in range(2):
        assert store.work_items.succeed(claim, {"n": 1}) is Status.SUCCEEDED
    assert store.work_items.get(LOCAL, claim.item_id).result == {"n": 1}


def test_published_items_are_due_again_only_after_a_while(store: TenantStore, enqueue: Queue) -> None:
    item_id = enqueue()
    others = [other for other, _ in store.work_items.unpublished() if other != item_id]
    store.work_items.mark_published([item_id, *others])
    assert store.work_items.unpublished() == []
    assert store.work_items.unclaimed("cpu", 60) == []
    assert (item_id, "cpu") in store.work_items.unclaimed("cpu", -1)
    assert store.work_items.unclaimed("gpu", -1) == []
    assert (store.work_items.waiting("cpu"), store.work_items.waiting("gpu")) == (1 + len(others), 0)


def test_a_worker_leaves_alone_what_it_does_not_know(store: TenantStore) -> None:
    item_id = store.work_items.create(LOCAL, "new kind", {}, queue="cpu", priority=9, max_queued=9).id
    known = store.work_items.create(LOCAL, "plain", {}, queue="cpu", priority=1, max_queued=9).id
    claim = store.work_items.claim_next(item_id, "worker", ["plain"])
    assert claim is not None and claim.item_id == known
    assert store.work_items.claim_next(item_id, "worker", ["plain"]) is None
    assert store.work_items.get(LOCAL, item_id).state is Status.QUEUED


def test_no_more_of_a_kind_may_wait_than_are_allowed(store: TenantStore) -> None:
    first = store.work_items.create(LOCAL, "plain", {}, queue="cpu", priority=5, max_queued=1)
    store.work_items.create(LOCAL, "other", {}, queue="cpu", priority=5, max_queued=1)
    with pytest.raises(QueueFull):
        store.work_items.create(LOCAL, "plain", {}, queue="cpu", priority=5, max_queued=1)
    taken(store, first.id)
    store.work_items.create(LOCAL, "plain", {}, queue="cpu", priority=5, max_queued=1)


def test_an_item_that_never_was_is_unknown(store: TenantStore) -> None:
    with pytest.raises(UnknownItem):
        store.work_items.get(LOCAL, new_id("item"))
    assert store.work_items.claim("' OR 1=1 --", "worker") is None
    assert store.work_items.expire(new_id("item")) is None
