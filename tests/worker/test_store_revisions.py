"""Hyper-parameters change while a job lives, in numbered revisions, on either database."""

from collections.abc import Callable

import pytest

from tests.worker.conftest import queue_job
from worker.domain.ids import new_id
from worker.domain.jobs import Job, Saved
from worker.domain.work_items import Claim, Signals, Status
from worker.errors import IllegalMove, RevisionChanged, UnknownCheckpoint, UnknownJob
from worker.store import Draft, NewRevision, SavedModel, TenantStore


def spec_with(rate: float, epochs: int = 5) -> dict[str, object]:
    return {"optimizer": {"learning_rate": rate}, "training": {"epochs": epochs}}


def change(rate: float, epochs: int = 5) -> NewRevision:
    pointer = "/optimizer/learning_rate"
    return NewRevision({"optimizer": {"learning_rate": rate}}, {pointer: 0.1}, {pointer: rate}, spec_with(rate, epochs))  # type: ignore[arg-type]  # plain JSON


@pytest.fixture
def claim(store: TenantStore, drafted: Callable[..., Draft]) -> Claim:
    job = queue_job(store, drafted(spec=spec_with(0.1)), max_queued=9)
    claimed = store.work_items.claim(job.id, "worker")
    assert claimed is not None
    return claimed


def checkpoint(store: TenantStore, claim: Claim, epoch: int, revision: int) -> int:
    file = f"checkpoints/{claim.attempt}-{epoch}-{revision}"
    return store.training_log.checkpoint(claim, Saved(epoch, epoch, "control", file, "a" * 64, 1, revision)).number


def test_a_change_is_numbered_told_to_the_worker_and_confirmed(store: TenantStore, claim: Claim) -> None:
    first = store.revisions.add(claim.item_id, change(0.2, epochs=9), after=0)
    assert (first.number, first.effective_epoch, first.checkpoint) == (1, None, None)
    assert store.work_items.renew(claim) == Signals(None, 1)
    assert store.revisions.after(claim.item_id, 0) == (first,)
    before = checkpoint(store, claim, epoch=3, revision=0)
    for _ in range(2):
        store.training_log.note_applied(claim, 1, epoch=4, checkpoint=before)
    [applied] = store.revisions.page(claim.item_id)
    assert (applied.effective_epoch, applied.checkpoint) == (4, before)
    assert store.revisions.after(claim.item_id, 1) == ()
    job = store.jobs.get(claim.item_id)
    assert (job.revision, job.epochs, job.spec["optimizer"]) == (1, 9, {"learning_rate": 0.1})
    types = [event.type for event in store.measurements.events(claim.item_id, after=2, limit=9).data]
    assert types == ["hyperparameters_requested", "checkpoint", "hyperparameters_changed"]


def test_of_two_changes_to_the_same_state_one_is_refused(store: TenantStore, claim: Claim) -> None:
    store.revisions.add(claim.item_id, change(0.2), after=0)
    with pytest.raises(RevisionChanged, match="at revision 1"):
        store.revisions.add(claim.item_id, change(0.3), after=0)
    assert len(store.revisions.page(claim.item_id)) == 1


def test_a_job_that_is_done_changes_no_more(store: TenantStore, claim: Claim) -> None:
    store.work_items.confirm_cancel(claim)
    with pytest.raises(IllegalMove, match="cancelled"):
        store.revisions.add(claim.item_id, change(0.2), after=0)
    with pytest.raises(UnknownJob):
        store.revisions.add(new_id("job"), change(0.2), after=0)


def test_the_checkpoint_before_a_change_is_kept_and_going_back_to_it_undoes_the_change(
    store: TenantStore, claim: Claim
) -> None:
    job_id = claim.item_id
    for number, epoch in ((1, 1), (2, 2)):
        store.revisions.add(job_id, change(number / 10, epochs=5 + number), after=number - 1)
        store.training_log.record(claim, number, rows=[{"epoch": epoch}], epoch=epoch)
        store.training_log.note_applied(claim, number, epoch + 1, checkpoint(store, claim, epoch, revision=number - 1))
    for epoch in (4, 5, 6):
        checkpoint(store, claim, epoch, revision=2)
    assert [(one.number, one.revision) for one in store.checkpoints.page(job_id)] == [(1, 0), (2, 1), (4, 2), (5, 2)]
    with pytest.raises(IllegalMove, match="running"):
        store.jobs.resume(job_id, 2)
    store.jobs.pause(job_id)
    store.work_items.release(claim, "resumed")
    with pytest.raises(UnknownCheckpoint):
        store.jobs.resume(job_id, 3)
    job, files = store.jobs.resume(job_id, 2)
    assert (job.state, job.revision, job.epoch, job.epochs, len(files)) == (Status.QUEUED, 1, 2, 6, 2)
    again = store.work_items.claim(job_id, "worker")
    assert again is not None
    assert store.revisions.after(job_id, 1) == ()
    assert [revision.undone_at is None for revision in store.revisions.page(job_id)] == [True, False]
    assert store.revisions.add(job_id, change(0.5), after=1).number == 3
    assert [revision.number for revision in store.revisions.after(job_id, 1)] == [3]
    assert store.revisions.spec_of(job_id, 3) == spec_with(0.5)
    assert store.revisions.spec_of(job_id, 0) == spec_with(0.1)


def test_a_rerun_plans_the_changes_for_the_same_epochs(
    store: TenantStore, claim: Claim, drafted: Callable[..., Draft], queued: Callable[[], Job]
) -> None:
    store.revisions.add(claim.item_id, change(0.2), after=0)
    store.training_log.note_applied(claim, 1, 3, checkpoint(store, claim, 2, revision=0))
    store.revisions.add(claim.item_id, change(0.3), after=1)  # never applied
    store.training_log.finish(claim, SavedModel("models/x", "a" * 64, "b" * 64), {}, stop_reason="completed")
    again = queue_job(store, drafted(rerun_of=claim.item_id), max_queued=9)
    assert again.revision == 1
    [planned] = store.revisions.after(again.id, 0)
    assert (planned.effective_epoch, planned.checkpoint, planned.spec) == (3, None, spec_with(0.2))
    assert queued().revision == 0
