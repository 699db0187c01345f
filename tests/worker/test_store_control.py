"""Jobs are paused, resumed, stopped, cancelled, deleted and claimed by urgency, on either database."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from tests.worker.conftest import queue_job
from worker.domain.ids import new_id
from worker.domain.jobs import Job, Progress, Saved
from worker.domain.work_items import Claim, Signals, Status
from worker.errors import ControlPending, IllegalMove, JobInUse, NothingToKeep, UnknownCheckpoint, UnknownJob
from worker.storage import tables
from worker.store import Draft, SavedModel, TenantStore

MODEL = SavedModel("models/x", "a" * 64, "b" * 64)


def taken(store: TenantStore, job: Job) -> Claim:
    claim = store.work_items.claim(job.id, "worker")
    assert claim is not None
    return claim


def checkpointed(store: TenantStore, claim: Claim, epoch: int = 1, file: str = "checkpoints/1") -> None:
    store.training_log.checkpoint(claim, Saved(epoch, epoch, "control", file, "a" * 64, 1))


def test_a_queued_job_pauses_at_once_and_goes_on_when_it_is_asked_to(
    store: TenantStore, queued: Callable[[], Job]
) -> None:
    job = queued()
    for _ in range(2):
        paused = store.jobs.pause(job.id)
        assert (paused.state, paused.pending, paused.waiting_reason) == (Status.PAUSED, None, "paused")
    assert store.work_items.claim(job.id, "worker") is None
    assert store.work_items.unpublished() == []
    for _ in range(2):
        assert store.jobs.resume(job.id)[0].state is Status.QUEUED
    assert store.work_items.unpublished() == [(job.id, "cpu")]
    assert [entry.state for entry in store.jobs.get(job.id).timeline] == ["queued", "paused", "queued"]


def test_a_running_job_pauses_once_its_worker_says_so(store: TenantStore, queued: Callable[[], Job]) -> None:
    claim = taken(store, queued())
    for _ in range(2):
        asked = store.jobs.pause(claim.item_id)
        assert (asked.state, asked.pending) == (Status.RUNNING, "pause")
    assert store.work_items.renew(claim) == Signals("pause", 0)
    for _ in range(2):  # the second time because the answer was lost
        assert store.work_items.release(claim, "resumed") is Status.PAUSED
    job = store.jobs.get(claim.item_id)
    assert (job.state, job.pending) == (Status.PAUSED, None)


def test_a_pause_that_is_taken_back_is_none(store: TenantStore, queued: Callable[[], Job]) -> None:
    claim = taken(store, queued())
    store.jobs.pause(claim.item_id)
    assert store.jobs.resume(claim.item_id)[0].pending is None
    assert store.work_items.renew(claim) == Signals(None, 0)
    assert (
        store.work_items.release(claim, "resumed") is Status.QUEUED
    )  # the worker had stopped already: another takes over


@pytest.mark.parametrize("ending", ["released", "lost"])
def test_a_pause_survives_its_worker(
    store: TenantStore, expiring: TenantStore, queued: Callable[[], Job], ending: str
) -> None:
    job = queued()
    claim = expiring.work_items.claim(job.id, "worker")
    assert claim is not None
    store.jobs.pause(job.id)
    if ending == "released":
        assert store.work_items.release(claim, "worker_shutdown") is Status.PAUSED
    else:
        assert store.work_items.claim(job.id, "another") is None
        assert store.work_items.expire(job.id) is Status.PAUSED


def test_a_stop_keeps_the_model_and_survives_its_worker(store: TenantStore, queued: Callable[[], Job]) -> None:
    job = queued()
    claim = taken(store, job)
    checkpointed(store, claim)
    for _ in range(2):
        assert store.jobs.stop(job.id).pending == "stop"
    store.work_items.release(claim, "worker_shutdown")
    assert store.jobs.get(job.id).pending == "stop"
    again = taken(store, job)
    assert store.work_items.renew(again) == Signals("stop", 0)
    assert store.training_log.finish(again, MODEL, {}, stop_reason="stopped_by_user") is Status.SUCCEEDED
    done = store.jobs.stop(job.id)
    assert (done.state, done.stop_reason, done.pending) == (Status.SUCCEEDED, "stopped_by_user", None)


def test_a_paused_job_is_stopped_by_the_next_worker(store: TenantStore, queued: Callable[[], Job]) -> None:
    claim = taken(store, queued())
    checkpointed(store, claim)
    store.jobs.pause(claim.item_id)
    store.work_items.release(claim, "resumed")
    stopping = store.jobs.stop(claim.item_id)
    assert (stopping.state, stopping.pending) == (Status.QUEUED, "stop")
    assert store.work_items.claim_next(claim.item_id, "worker", ["train"]) is not None


def test_there_is_nothing_to_keep_of_a_job_that_never_ran(store: TenantStore, queued: Callable[[], Job]) -> None:
    job = queued()
    with pytest.raises(NothingToKeep, match="queued"):
        store.jobs.stop(job.id)
    store.jobs.pause(job.id)
    with pytest.raises(NothingToKeep, match="paused"):
        store.jobs.stop(job.id)


def test_a_later_wish_counts_only_if_it_is_a_stronger_one(store: TenantStore, queued: Callable[[], Job]) -> None:
    claim = taken(store, queued())
    job_id = claim.item_id
    store.jobs.pause(job_id)
    assert store.jobs.stop(job_id).pending == "stop"
    for weaker in (store.jobs.pause, store.jobs.resume):
        with pytest.raises(ControlPending, match="running and its stop is pending"):
            weaker(job_id)
    assert store.jobs.cancel(job_id).pending == "cancel"
    with pytest.raises(ControlPending, match="its cancel is pending"):
        store.jobs.stop(job_id)
    assert store.work_items.release(claim, "resumed") is Status.CANCELLED


def test_a_job_that_is_done_is_steered_no_more(store: TenantStore, queued: Callable[[], Job]) -> None:
    claim = taken(store, queued())
    store.training_log.finish(claim, MODEL, {}, stop_reason="completed")
    for ask in (store.jobs.pause, store.jobs.resume, store.jobs.stop, store.jobs.cancel):
        with pytest.raises(IllegalMove) as refused:
            ask(claim.item_id)
        assert refused.value.state == "succeeded"


def test_training_time_counts_and_waiting_does_not(store: TenantStore, queued: Callable[[], Job]) -> None:
    claim = taken(store, queued())
    columns = tables.work_items.c
    with store.database.write() as connection:
        earlier = (
            sa.update(tables.work_items).where(columns.id == claim.item_id).values(claimed_at=columns.claimed_at - 60)
        )
        connection.execute(earlier)
    store.jobs.pause(claim.item_id)
    store.work_items.release(claim, "resumed")
    assert store.jobs.get(claim.item_id).spent_seconds == pytest.approx(60, abs=5)
    store.jobs.resume(claim.item_id)
    assert taken(store, store.jobs.get(claim.item_id)).item.spent_seconds == pytest.approx(60, abs=5)


def test_the_most_urgent_job_of_the_queue_is_claimed_first(store: TenantStore, drafted: Callable[..., Draft]) -> None:
    jobs = {
        (queue, priority, number): queue_job(store, drafted(queue=queue, priority=priority), max_queued=99).id
        for number in range(2)
        for queue, priority in (("cpu", 5), ("gpu", 9), ("cpu", 9), ("cpu", 0))
    }
    positions = {key: store.jobs.get(job_id).queue_position for key, job_id in jobs.items() if key[0] == "cpu"}
    message = jobs["cpu", 0, 0]
    claimed = [store.work_items.claim_next(message, "worker", ["train"]) for _ in range(7)]
    order = sorted(positions, key=lambda key: (-key[1], key[2]))
    assert [claim and claim.item_id for claim in claimed] == [jobs[key] for key in order] + [None]
    assert [positions[key] for key in order] == [1, 2, 3, 4, 5, 6]
    assert store.work_items.claim_next(new_id("job"), "worker", ["train"]) is None
    assert store.work_items.claim_next("' OR 1=1 --", "worker", ["train"]) is None


def test_progress_and_environment_are_shown_as_the_worker_tells_them(
    store: TenantStore, queued: Callable[[], Job]
) -> None:
    claim = taken(store, queued())
    progress = Progress(30, 100, 512.5, 7.0, True, 2, 5)
    store.training_log.record(claim, 1, progress=progress)
    store.training_log.record(claim, 2)
    store.training_log.note_environment(claim, {"threads": 2})
    job = store.jobs.get(claim.item_id)
    assert (job.progress, job.environment) == (progress, {"threads": 2})


def test_a_deleted_job_leaves_nothing_but_the_names_of_its_files(store: TenantStore, queued: Callable[[], Job]) -> None:
    claim = taken(store, queued())
    checkpointed(store, claim)
    store.training_log.record(claim, 1, rows=[{"epoch": 1}], reports=[{"at": "start"}], epoch=1)
    with pytest.raises(JobInUse, match="running"):
        store.jobs.delete(claim.item_id)
    store.training_log.finish(claim, MODEL, {}, stop_reason="completed")
    assert set(store.jobs.delete(claim.item_id)) == {"checkpoints/1", "models/x"}
    with pytest.raises(UnknownJob):
        store.jobs.get(claim.item_id)
    with store.database.read() as connection:
        for table in (tables.events, tables.metrics, tables.checkpoints, tables.models, tables.gradient_checks):
            assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0


def test_a_job_that_another_starts_from_cannot_be_deleted(
    store: TenantStore, queued: Callable[[], Job], drafted: Callable[..., Draft]
) -> None:
    claim = taken(store, queued())
    with pytest.raises(UnknownCheckpoint, match="best"):
        queue_job(store, drafted(checkpoints={"x": f"{claim.item_id}/model"}), max_queued=9)
    store.training_log.finish(claim, MODEL, {}, stop_reason="completed")
    branch = queue_job(store, drafted(checkpoints={"x": f"{claim.item_id}/model"}), max_queued=9)
    with pytest.raises(JobInUse, match=branch.id):
        store.jobs.delete(claim.item_id)
    store.jobs.cancel(branch.id)
    store.jobs.delete(claim.item_id)


def test_a_rerun_says_whether_it_came_out_alike(
    store: TenantStore, queued: Callable[[], Job], drafted: Callable[..., Draft]
) -> None:
    origin = taken(store, queued())
    store.training_log.finish(origin, MODEL, {"dev": {}}, stop_reason="completed")
    for weights, agrees in (("b" * 64, True), ("c" * 64, False)):
        claim = taken(store, queue_job(store, drafted(rerun_of=origin.item_id), max_queued=9))
        store.training_log.finish(
            claim, SavedModel("models/y", "a" * 64, weights), {"dev": {}}, stop_reason="completed"
        )
        result = store.jobs.get(claim.item_id).result
        assert result == {"dev": {}, "reproduces": {"job": origin.item_id, "agrees": agrees}}
