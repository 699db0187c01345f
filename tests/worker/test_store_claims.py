"""One worker at a time may write about a job, on either database."""

from collections.abc import Callable

import pytest

from worker.domain.jobs import Job
from worker.domain.work_items import Claim, Failure, Status
from worker.errors import LeaseLost
from worker.store import NewEvent, SavedModel, TenantStore

MODEL = SavedModel("models/x", "a" * 64, "b" * 64)


def taken(store: TenantStore, job: Job) -> Claim:
    claim = store.work_items.claim(job.id, "worker")
    assert claim is not None
    return claim


def test_writes_of_an_attempt_that_was_overtaken_are_refused(
    store: TenantStore, expiring: TenantStore, queued: Callable[[], Job]
) -> None:
    job = queued()
    old = expiring.work_items.claim(job.id, "sleeper")
    assert old is not None
    new = taken(store, job)
    assert (old.attempt, new.attempt) == (1, 2)
    before = store.jobs.get(job.id)
    writes: list[Callable[[], object]] = [
        lambda: store.work_items.renew(old),
        lambda: store.training_log.record(old, 1, rows=[{"epoch": 1, "train_cost": 0.5}]),
        lambda: store.training_log.finish(old, MODEL, {}, stop_reason="completed"),
        lambda: store.work_items.fail(old, Failure("x", "y")),
        lambda: store.work_items.confirm_cancel(old),
        lambda: store.work_items.release(old, "shutdown"),
    ]
    for write in writes:
        with pytest.raises(LeaseLost):
            write()
    assert store.jobs.get(job.id) == before
    assert store.measurements.page(job.id, after=0, limit=9).data == ()


def test_a_reclaimed_job_starts_over_and_keeps_its_story(
    store: TenantStore, expiring: TenantStore, queued: Callable[[], Job]
) -> None:
    job = queued()
    lost = expiring.work_items.claim(job.id, "lost")
    assert lost is not None
    expiring.training_log.record(lost, 1, rows=[{"epoch": 1, "train_cost": 0.5}], reports=[{"at": "start"}], epoch=1)
    assert store.work_items.expired() == [(job.id, job.id)]
    assert store.work_items.expire(job.id) is Status.QUEUED
    assert store.work_items.expire(job.id) is None
    with pytest.raises(LeaseLost):
        store.work_items.renew(lost)
    assert store.work_items.unpublished() == [(job.id, "cpu")]
    again = taken(store, job)
    assert (again.attempt, store.jobs.get(again.item_id).epoch) == (2, 0)
    assert store.measurements.page(job.id, after=0, limit=9).data == ()
    assert store.gradient_checks.page(job.id, after=0, limit=9).data == ()
    assert [milestone.state for milestone in store.jobs.get(again.item_id).timeline] == [
        "queued",
        "running",
        "queued",
        "running",
    ]


def test_a_job_that_loses_every_worker_fails(
    store: TenantStore, expiring: TenantStore, queued: Callable[[], Job]
) -> None:
    job = queued()
    for expected in (Status.QUEUED, Status.QUEUED, Status.FAILED):
        assert expiring.work_items.claim(job.id, "lost") is not None
        assert store.work_items.expire(job.id) is expected
    failed = store.jobs.get(job.id)
    assert failed.error is not None
    assert failed.error.code == "worker_lost"


def test_a_cancelled_job_of_a_lost_worker_ends_cancelled(
    store: TenantStore, expiring: TenantStore, queued: Callable[[], Job]
) -> None:
    job = queued()
    assert expiring.work_items.claim(job.id, "lost") is not None
    store.jobs.cancel(job.id)
    assert store.work_items.claim(job.id, "other") is None
    assert store.work_items.expire(job.id) is Status.CANCELLED


def test_cancel_before_the_finish_wins_and_leaves_no_model(store: TenantStore, queued: Callable[[], Job]) -> None:
    claim = taken(store, queued())
    store.jobs.cancel(claim.item_id)
    assert store.training_log.finish(claim, MODEL, {}, stop_reason="completed") is Status.CANCELLED
    assert store.jobs.get(claim.item_id).result is None


def test_a_write_that_is_sent_twice_counts_once(store: TenantStore, queued: Callable[[], Job]) -> None:
    claim = taken(store, queued())
    for _ in range(2):
        store.training_log.record(claim, 1, rows=[{"epoch": 1, "train_cost": 0.5}], events=[NewEvent("epoch")], epoch=1)
    for _ in range(2):
        assert store.training_log.finish(claim, MODEL, {"a": 1}, stop_reason="completed") is Status.SUCCEEDED
    assert len(store.measurements.page(claim.item_id, after=0, limit=9).data) == 1
    types = [event.type for event in store.measurements.events(claim.item_id, after=0, limit=9).data]
    assert types == ["state", "state", "epoch", "state"]
    assert store.measurements.model(claim.item_id) == MODEL


def test_a_failure_is_kept_word_for_word(store: TenantStore, queued: Callable[[], Job]) -> None:
    claim = taken(store, queued())
    failure = Failure("diverged", "the cost became NaN", "/optimizer/learning_rate", "lower it")
    store.work_items.fail(claim, failure)
    job = store.jobs.get(claim.item_id)
    assert (job.state, job.error, job.stop_reason) == (Status.FAILED, failure, "failed")
