"""The store keeps jobs, on either database."""

from collections.abc import Callable

import pytest

from tests.worker.conftest import queue_job
from worker.domain.ids import new_id
from worker.domain.jobs import Job
from worker.domain.work_items import Signals, Status
from worker.errors import DatasetInUse, IllegalMove, NameTaken, QueueFull, UnknownDataset, UnknownJob
from worker.store import Draft, StoredFile, TenantStore


def test_a_new_job_is_queued_and_says_that_nobody_can_take_it(store: TenantStore, queued: Callable[[], Job]) -> None:
    job = queued()
    assert store.jobs.get(job.id) == job
    assert (job.state, job.attempt, job.stage, job.done) == (Status.QUEUED, 0, "waiting", False)
    assert job.waiting_reason == "no_capable_worker"
    assert [milestone.state for milestone in job.timeline] == [Status.QUEUED]


def test_a_waiting_job_knows_whether_a_worker_serves_its_queue(store: TenantStore, queued: Callable[[], Job]) -> None:
    job = queued()
    store.workers.seen("worker_1", host="here", pid=1, queues=("gpu",), job_id=None)
    assert store.jobs.get(job.id).waiting_reason == "no_capable_worker"
    store.workers.seen("worker_2", host="here", pid=2, queues=("cpu", "gpu"), job_id=None)
    assert store.jobs.get(job.id).waiting_reason == "workers_busy"
    store.workers.gone("worker_2")
    assert [worker.id for worker in store.workers.alive(None)] == ["worker_1"]


def test_a_spec_comes_back_as_it_went_in(store: TenantStore, drafted: Callable[..., Draft]) -> None:
    spec = {"name": "ä \u0000 \u2028", "numbers": [1, 1e-300, -0.0, 2**53], "z": None, "a": {"b": [True, []]}}
    job = queue_job(store, drafted(spec=spec), max_queued=10)
    assert job.spec == spec
    assert list(job.spec) == list(spec)


def test_pages_are_newest_first_and_say_whether_there_is_more(store: TenantStore, queued: Callable[[], Job]) -> None:
    ids = [queued().id for _ in range(5)]
    first = store.jobs.page(limit=2, after=None, state=None)
    second = store.jobs.page(limit=3, after=first.data[-1].id, state=None)
    assert [job.id for job in (*first.data, *second.data)] == ids[::-1]
    assert (first.has_more, second.has_more) == (True, False)


def test_pages_can_be_of_one_state(store: TenantStore, queued: Callable[[], Job]) -> None:
    kept, cancelled = queued(), queued()
    store.jobs.cancel(cancelled.id)
    assert [job.id for job in store.jobs.page(limit=9, after=None, state=Status.QUEUED).data] == [kept.id]
    assert [job.id for job in store.jobs.page(limit=9, after=None, state=Status.CANCELLED).data] == [cancelled.id]


def test_an_unknown_job_is_unknown_to_every_question(store: TenantStore) -> None:
    nobody = new_id("job")
    for ask in (store.jobs.get, store.jobs.cancel, store.measurements.model):
        with pytest.raises(UnknownJob, match=nobody):
            ask(nobody)


def test_a_queued_job_is_cancelled_at_once_and_only_once(store: TenantStore, queued: Callable[[], Job]) -> None:
    job = store.jobs.cancel(queued().id)
    assert (job.state, job.done, job.pending, job.stop_reason) == (Status.CANCELLED, True, None, "cancelled")
    assert store.jobs.cancel(job.id) == job
    for other in (store.jobs.pause, store.jobs.resume, store.jobs.stop):
        with pytest.raises(IllegalMove) as refused:
            other(job.id)
        assert refused.value.state == "cancelled"


def test_a_running_job_is_asked_to_stop(store: TenantStore, queued: Callable[[], Job]) -> None:
    claim = store.work_items.claim(queued().id, "worker")
    assert claim is not None
    assert store.work_items.renew(claim) == Signals(None, 0)
    assert store.jobs.cancel(claim.item_id).pending == "cancel"
    assert store.jobs.cancel(claim.item_id).pending == "cancel"
    assert store.work_items.renew(claim) == Signals("cancel", 0)
    store.work_items.confirm_cancel(claim)
    assert store.jobs.get(claim.item_id).state is Status.CANCELLED


def test_more_jobs_than_may_wait_are_refused(store: TenantStore, drafted: Callable[..., Draft]) -> None:
    queue_job(store, drafted(), max_queued=1)
    with pytest.raises(QueueFull):
        queue_job(store, drafted(), max_queued=1)
    assert len(store.jobs.page(limit=9, after=None, state=None).data) == 1


def test_a_dataset_cannot_be_deleted_while_a_job_needs_it(store: TenantStore, drafted: Callable[..., Draft]) -> None:
    stored = StoredFile(new_id("ds"), "flowers", 10, "a" * 64, "datasets/x", "b" * 64)
    store.datasets.add(stored, media_type="text/csv", rows=3, summary={"columns": []})
    job = queue_job(store, drafted(datasets={"flowers": stored.id}), max_queued=9)
    with pytest.raises(DatasetInUse, match=job.id):
        store.datasets.delete("flowers")
    store.jobs.cancel(job.id)
    assert store.datasets.delete("flowers") == stored
    assert store.datasets.find(stored.id) is None
    with pytest.raises(UnknownDataset):
        queue_job(store, drafted(datasets={"flowers": stored.id}), max_queued=9)
    assert len(store.jobs.page(limit=9, after=None, state=None).data) == 1


def test_a_name_belongs_to_one_parameter_set(store: TenantStore) -> None:
    def stored() -> StoredFile:
        return StoredFile(new_id("ps"), "mine", 10, "a" * 64, "file", "b" * 64)

    made = store.parameter_sets.add(stored(), {"W1": (2, 3), "b1": (3,)})
    assert store.parameter_sets.find("mine") == made
    assert made.tensors == {"W1": (2, 3), "b1": (3,)}
    with pytest.raises(NameTaken):
        store.parameter_sets.add(stored(), {})
