"""A request that is sent again creates nothing twice, on either database."""

import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from tests.worker.conftest import queue_job
from worker.domain.idempotency import KeyedRequest, KeyLease, StoredResponse
from worker.errors import KeyInFlight, KeyReused
from worker.storage import tables
from worker.store import Draft, TenantStore
from worker.store.idempotency_keys import forget_keys

ROUTE = "/v1/jobs"
ANSWER = StoredResponse("a" * 64, 201, {"location": "/v1/jobs/x"}, "{}")


def begun(store: TenantStore, key: str = "key") -> KeyLease:
    key_lease = store.idempotency_keys.begin(key, ROUTE)
    assert isinstance(key_lease, KeyLease)
    return key_lease


def aged(store: TenantStore, seconds: float, *columns: str) -> None:
    """Let time go by for every key."""
    known = tables.idempotency_keys.c
    with store.database.write() as connection:
        connection.execute(sa.update(tables.idempotency_keys).values({name: known[name] - seconds for name in columns}))


def test_the_answer_is_given_again_for_a_day(store: TenantStore) -> None:
    key_lease = begun(store)
    with pytest.raises(KeyInFlight):
        store.idempotency_keys.begin("key", ROUTE)
    store.idempotency_keys.answer(key_lease, ANSWER)
    assert store.idempotency_keys.begin("key", ROUTE) == ANSWER
    assert begun(store, "other").attempt == 1
    assert isinstance(store.idempotency_keys.begin("key", "/v1/datasets"), KeyLease)
    aged(store, 25 * 3600, "created_at")
    assert begun(store).attempt == 1
    assert forget_keys(store.database) == 2


def test_a_refused_request_may_be_corrected(store: TenantStore) -> None:
    store.idempotency_keys.abandon(begun(store))
    assert begun(store).attempt == 1


def test_a_race_for_a_key_has_one_winner(store: TenantStore) -> None:
    start = threading.Barrier(8)
    outcomes: list[str] = []

    def race() -> None:
        start.wait()
        try:
            store.idempotency_keys.begin("key", ROUTE)
            outcomes.append("won")
        except KeyInFlight:
            outcomes.append("lost")

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["lost"] * 7 + ["won"]


def test_a_process_that_dies_before_it_answers_leaves_its_job_to_the_next(
    store: TenantStore, drafted: Callable[..., Draft]
) -> None:
    first = begun(store)
    made = queue_job(store, drafted(), max_queued=9, keyed=KeyedRequest(first, "a" * 64))
    aged(store, 60, "lease_until")
    second = begun(store)
    assert second.attempt == 2
    with pytest.raises(KeyReused):
        queue_job(store, drafted(), max_queued=9, keyed=KeyedRequest(second, "b" * 64))
    again = queue_job(store, drafted(), max_queued=9, keyed=KeyedRequest(second, "a" * 64))
    assert again.id == made.id
    with pytest.raises(KeyInFlight):  # the first one was only slow, and has lost its right
        queue_job(store, drafted(), max_queued=9, keyed=KeyedRequest(first, "a" * 64))
    store.idempotency_keys.answer(first, ANSWER)
    store.idempotency_keys.abandon(second)
    assert begun(store).attempt == 3
    assert len(store.jobs.page(limit=9, after=None, state=None).data) == 1


def test_a_gradient_check_is_asked_for_once(store: TenantStore, drafted: Callable[..., Draft]) -> None:
    job = queue_job(store, drafted(), max_queued=9)
    keyed = KeyedRequest(begun(store), "a" * 64)
    numbers = [store.gradient_checks.create(job.id, {}, max_queued=9, keyed=keyed).number for _ in range(2)]
    assert numbers == [1, 1]
