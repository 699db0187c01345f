"""Where a job goes on, and that every epoch stands there once, on either database."""

from collections.abc import Callable

import pytest

from tests.worker.conftest import queue_job
from worker.domain.jobs import CheckpointKind, Job, Saved
from worker.domain.work_items import Claim, Status
from worker.errors import LeaseLost, UnknownCheckpoint
from worker.store import Draft, NewEvent, TenantStore


def saved(name: str, epoch: int, kind: CheckpointKind = "periodic", revision: int = 0) -> Saved:
    return Saved(epoch, epoch * 10, kind, f"checkpoints/{name}", "a" * 64, 7, revision, {"dev_cost": 1 / (epoch + 1)})


def trained(store: TenantStore, claim: Claim, epochs: range, first_batch: int = 1) -> None:
    """A batch per epoch: a row, the layers, a warning, and a report where the spec wants one."""
    for batch, epoch in enumerate(epochs, first_batch):
        store.training_log.record(
            claim,
            batch,
            rows=[{"epoch": epoch, "train_cost": 1.0 / epoch}],
            events=[NewEvent("warning", {"code": "plateau", "epoch": epoch})],
            reports=[{"at": epoch}] + ([{"at": "start"}] if epoch == 1 else []),
            epoch=epoch,
            warnings=1,
        )


def taken(store: TenantStore, job: Job) -> Claim:
    claim = store.work_items.claim(job.id, "worker")
    assert claim is not None
    return claim


def test_the_newest_two_and_the_best_are_kept(store: TenantStore, queued: Callable[[], Job]) -> None:
    claim = taken(store, queued())
    kinds: list[CheckpointKind] = ["periodic", "best", "periodic", "control", "best", "periodic", "periodic"]
    gone = [
        store.training_log.checkpoint(claim, saved(str(epoch), epoch, kind)).superseded
        for epoch, kind in enumerate(kinds, 1)
    ]
    assert [[file.removeprefix("checkpoints/") for file in files] for files in gone] == [
        [],
        [],
        ["1"],
        [],
        ["2", "3"],
        ["4"],
        [],
    ]
    kept = store.checkpoints.page(claim.item_id)
    assert [(one.number, one.epoch, one.step, one.kind) for one in kept] == [
        (5, 5, 50, "best"),
        (6, 6, 60, "periodic"),
        (7, 7, 70, "periodic"),
    ]
    assert store.checkpoints.newest(claim.item_id) == kept[-1]
    assert store.checkpoints.best(claim.item_id) == kept[0] == store.checkpoints.get(claim.item_id, 5)
    with pytest.raises(UnknownCheckpoint, match=r"no checkpoint 4; it keeps: 5, 6, 7"):
        store.checkpoints.get(claim.item_id, 4)


def test_a_checkpoint_that_is_told_twice_is_one(store: TenantStore, queued: Callable[[], Job]) -> None:
    claim = taken(store, queued())
    first, again = (store.training_log.checkpoint(claim, saved("x", 1)) for _ in range(2))
    assert (first.number, again.number) == (1, 1)
    assert len(store.checkpoints.page(claim.item_id)) == 1


def test_a_zombie_registers_no_checkpoint(store: TenantStore, expiring: TenantStore, queued: Callable[[], Job]) -> None:
    job = queued()
    old = taken(expiring, job)
    taken(store, job)
    for write in (
        lambda: store.training_log.checkpoint(old, saved("x", 1)),
        lambda: store.training_log.fall_back(old, None),
        lambda: store.work_items.release(old, "resumed"),
        lambda: store.training_log.note_environment(old, {}),
        lambda: store.training_log.note_applied(old, 1, 1, None),
    ):
        with pytest.raises(LeaseLost):
            write()
    assert store.checkpoints.page(job.id) == ()


def test_every_epoch_stands_once_after_a_resumption(
    store: TenantStore, expiring: TenantStore, queued: Callable[[], Job]
) -> None:
    job = queued()
    lost = taken(expiring, job)
    trained(expiring, lost, range(1, 4))
    expiring.training_log.checkpoint(lost, saved("3", 3))
    trained(expiring, lost, range(4, 6), first_batch=4)
    assert store.work_items.expire(job.id) is Status.QUEUED
    again = taken(store, job)
    assert (store.jobs.get(again.item_id).epoch, store.jobs.get(again.item_id).warnings) == (3, 3)
    trained(store, again, range(4, 6))
    rows = store.measurements.page(job.id, after=0, limit=99).data
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5]
    reports = [check.report for check in store.gradient_checks.page(job.id, after=0, limit=99).data]
    assert [report["at"] for report in reports if report] == [1, "start", 2, 3, 4, 5]
    assert [warning["epoch"] for warning in store.measurements.warnings(job.id)] == [1, 2, 3, 4, 5]
    events = store.measurements.events(job.id, after=0, limit=99).data
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.data for event in events if event.type == "resumed"] == [{"epoch": 3, "step": 30, "checkpoint": 1}]


def test_a_moment_that_is_checked_again_behind_a_checkpoint_is_told_once(
    store: TenantStore, queued: Callable[[], Job]
) -> None:
    claim = taken(store, queued())
    for batch, verdict in ((1, "great"), (2, "bad")):
        store.training_log.record(claim, batch, reports=[{"at": 2, "verdict": verdict}])
    reports = [check.report for check in store.gradient_checks.page(claim.item_id, after=0, limit=9).data]
    assert reports == [{"at": 2, "verdict": "bad"}]


def test_a_damaged_checkpoint_is_forgotten_with_what_lies_behind_the_one_before(
    store: TenantStore, queued: Callable[[], Job]
) -> None:
    job = queued()
    first = taken(store, job)
    for epoch in (1, 2, 3):
        trained(store, first, range(epoch, epoch + 1), first_batch=epoch)
        store.training_log.checkpoint(first, saved(str(epoch), epoch))
    store.work_items.release(first, "worker_shutdown")
    claim = taken(store, job)
    assert store.jobs.get(claim.item_id).epoch == 3
    assert store.training_log.fall_back(claim, 2) == ("checkpoints/3",)
    assert store.jobs.get(job.id).epoch == 2
    assert [row["epoch"] for row in store.measurements.page(job.id, after=0, limit=9).data] == [1, 2]
    assert store.training_log.checkpoint(claim, saved("3b", 3)).number == 4  # a number is never given twice
    assert store.training_log.fall_back(claim, None) == ("checkpoints/2", "checkpoints/3b")
    assert store.measurements.page(job.id, after=0, limit=9).data == ()


def test_a_job_that_gets_further_each_time_may_lose_any_number_of_workers(
    store: TenantStore, expiring: TenantStore, queued: Callable[[], Job]
) -> None:
    job = queued()
    for epoch in range(1, 8):
        expiring.training_log.checkpoint(taken(expiring, job), saved(str(epoch), epoch))
        assert store.work_items.expire(job.id) is Status.QUEUED
    for expected in (Status.QUEUED, Status.FAILED):  # the last checkpoint's attempt was the first in a row
        taken(expiring, job)
        assert store.work_items.expire(job.id) is expected
    failed = store.jobs.get(job.id).error
    assert failed is not None
    assert failed.code == "worker_lost"


def test_what_a_live_job_starts_from_is_kept(
    store: TenantStore, queued: Callable[[], Job], drafted: Callable[..., Draft]
) -> None:
    origin = queued()
    claim = taken(store, origin)
    store.training_log.checkpoint(claim, saved("1", 1))
    branch = queue_job(store, drafted(checkpoints={origin.id: f"{origin.id}/1"}), max_queued=9)
    assert store.jobs.inputs(branch.id)["checkpoint"] == {origin.id: f"{origin.id}/1"}
    for epoch in (2, 3, 4):
        store.training_log.checkpoint(claim, saved(str(epoch), epoch))
    assert [one.number for one in store.checkpoints.page(origin.id)] == [1, 3, 4]
    store.jobs.cancel(branch.id)
    assert store.training_log.checkpoint(claim, saved("5", 5)).superseded == ("checkpoints/1", "checkpoints/3")
    with pytest.raises(UnknownCheckpoint):
        queue_job(store, drafted(checkpoints={origin.id: f"{origin.id}/1"}), max_queued=9)
