"""One attempt after the other at a job, in this very process: each goes on where the last one has saved."""

import re
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy.exc import IntegrityError

import engine.training
from engine import Checkpoint, JobSpec, Placement, load
from engine.gpu.device import Processor
from tests.chaos import mutants
from tests.worker.conftest import quick_settings
from worker.backend import open_backend
from worker.domain.ids import new_id
from worker.domain.jobs import Job
from worker.domain.principals import LOCAL
from worker.domain.work_items import Status
from worker.errors import IllegalMove
from worker.queue.notifier import Notifier
from worker.storage import tables
from worker.storage.artifacts import Artifacts
from worker.store import open_store
from worker.store.work_items import WorkItems
from worker.work.kinds import attempt_at
from worker.workspace import Workspace

LAYERS = [{"type": "dense", "units": 8}, {"type": "batch_norm"}, {"type": "relu"}, {"type": "dropout"}]
FIELDS: dict[str, Any] = {
    "layers": LAYERS,
    "training": {"epochs": 6, "batch_size": 16, "early_stopping": {"patience": 3}},
    "checks": {"gradients": [2, "end"]},
}


def merged(document: dict[str, Any], patch: dict[str, dict[str, object]]) -> dict[str, Any]:
    """The sections of the patch laid over those of the document."""
    return document | {section: document[section] | fields for section, fields in patch.items()}


class Killed(BaseException):
    """As sudden as the end of a process: nothing of the worker's own catches it."""


class FaultInjector:
    """A backend, and workers of it that do one thing at the chosen moment."""

    def __init__(self, backend: Workspace, notifier: Notifier) -> None:
        self.backend = backend
        self.store = open_store(backend.settings)
        self.artifacts = Artifacts(backend.settings.data_dir)
        self.notifier = notifier

    def submit(self, **changes: Any) -> Job:
        """Queue a job of FIELDS, with changes."""
        data = {"data": {"train": "iris", "target": "label"}}
        return self.backend.jobs.submit(JobSpec.model_validate(data | FIELDS | changes))

    def attempt(self, job_id: str, after: int = 0, then: Callable[[], object] = lambda: None) -> Job:
        """Claim the job and train it; `then` is called when the worker has looked up `after` times from its work.

        What `then` returns is whether the worker is asked to end.
        """
        claim = self.store.work_items.claim(job_id, new_id("worker"))
        assert claim is not None
        looks, answer = 0, False

        def draining() -> bool:
            nonlocal looks, answer
            looks += 1
            answer = answer or (looks == after and bool(then()))
            return answer

        attempt_at(claim, self.backend.settings, self.store, self.artifacts, self.notifier, draining=draining).run()
        return self.backend.jobs.get(job_id)

    def kill_worker(self, job_id: str, after: int) -> None:
        """An attempt whose process is killed; its lease is over at once."""

        def kill() -> None:
            raise Killed

        with pytest.raises(Killed):
            self.attempt(job_id, after, kill)
        self.expire(job_id)

    def overtake(self, job_id: str, after: int) -> list[object]:
        """An attempt that sleeps through its lease and wakes when another has trained the job to its end.

        Returns the job's events as they were then.
        """
        events: list[object] = []

        def sleep() -> None:
            self.expire(job_id)
            self.attempt(job_id)
            events.extend(self.backend.jobs.events(job_id, limit=1000).data)

        self.attempt(job_id, after, sleep)
        return events

    def expire(self, job_id: str) -> None:
        """Have the lease be over, and the sweeper find that."""
        with self.store.database.write() as connection:
            connection.execute(tables.work_items.update().where(tables.work_items.c.id == job_id).values(lease_until=0))
        self.store.work_items.expire(job_id)

    def outcome(self, job_id: str) -> dict[str, object]:
        """All that must be the same for two jobs of one spec."""
        job, events = self.backend.jobs.get(job_id), self.backend.jobs.events(job_id, limit=1000).data
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        return {
            "state": job.state,
            "result": job.result,
            "warnings": job.warnings,
            "rows": [
                {k: v for k, v in row.items() if k not in ("seconds", "at")}
                for row in self.backend.jobs.metric_rows(job_id)
            ],
            "layers": self.backend.jobs.layers(job_id).data,
            "checks": [check.report for check in self.backend.jobs.gradient_checks(job_id).data],
            "weights": load(self.backend.jobs.model_path(job_id)).weights_sha256,
        }

    def files(self, job_id: str) -> set[str]:
        return {path.name for path in (self.backend.settings.data_dir / "checkpoints" / job_id).glob("*")}

    def types(self, job_id: str) -> list[str]:
        return [event.type for event in self.backend.jobs.events(job_id, limit=1000).data]


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[FaultInjector]:
    # leases that no clock ends: what is refused is refused by the store
    leases = {"lease_seconds": 1000.0, "heartbeat_seconds": 400.0, "max_attempts": 3}
    settings = quick_settings(tmp_path_factory.mktemp("faults"), redis_url=redis_url, checkpoint_seconds=1e-6, **leases)
    with (
        pytest.MonkeyPatch.context() as patched,
        open_backend(settings) as opened,
    ):
        patched.setattr(engine.training, "TICK_SECONDS", -1.0)  # an event a batch
        made = FaultInjector(opened.on_behalf_of(LOCAL), Notifier(opened.broker))
        yield made
        made.store.close()


@pytest.fixture(scope="module")
def undisturbed(faults: FaultInjector) -> dict[str, object]:
    """What the job of FIELDS comes to when nothing happens to it."""
    return faults.outcome(faults.attempt(faults.submit().id).id)


# of looks up from the work: before the first epoch, within epochs, and into a gradient check
@pytest.mark.parametrize(("how", "moments"), [("killed", (9, 12)), ("drained", (6, 90)), ("paused", (2, 14))])
def test_a_job_that_is_interrupted_ends_like_its_undisturbed_twin(
    faults: FaultInjector, undisturbed: dict[str, object], how: str, moments: tuple[int, int]
) -> None:
    job = faults.submit()
    for after in moments:
        if how == "killed":
            faults.kill_worker(job.id, after)
        elif how == "drained":
            assert faults.attempt(job.id, after, lambda: True).state is Status.QUEUED
        else:
            assert (
                faults.attempt(job.id, after, lambda: faults.backend.jobs.pause(job.id) and None).state is Status.PAUSED
            )
            faults.backend.jobs.resume(job.id)
    done = faults.attempt(job.id)
    assert (done.state, done.attempt) == (Status.SUCCEEDED, 3)
    assert faults.outcome(job.id) == undisturbed
    kept = faults.backend.jobs.checkpoints(job.id)
    assert faults.files(job.id) == {Path(one.file).name for one in kept}
    assert len(kept) <= 3  # the newest two and the best


def test_a_checkpoint_that_is_damaged_gives_way_to_the_one_before(
    faults: FaultInjector, undisturbed: dict[str, object]
) -> None:
    job = faults.submit()
    faults.kill_worker(job.id, 14)
    *_, before, newest = faults.backend.jobs.checkpoints(job.id)
    path = faults.backend.settings.data_dir / newest.file
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    faults.kill_worker(job.id, 6)
    damaged = [
        event for event in faults.backend.jobs.events(job.id, limit=1000).data if event.type == "checkpoint_damaged"
    ]
    assert len(damaged) == 1 and f"checkpoint {newest.number}" in str(damaged[0].data["detail"])
    resumed = [event for event in faults.backend.jobs.events(job.id, limit=1000).data if event.type == "resumed"]
    assert resumed[-1].data["checkpoint"] == before.number
    for one in faults.backend.jobs.checkpoints(job.id):
        (faults.backend.settings.data_dir / one.file).unlink()
    faults.attempt(job.id)
    assert faults.outcome(job.id) == undisturbed


@pytest.mark.parametrize("after", [1, 9, 20])
def test_a_zombie_changes_nothing(faults: FaultInjector, undisturbed: dict[str, object], after: int) -> None:
    job = faults.submit()
    events = faults.overtake(job.id, after)
    assert list(faults.backend.jobs.events(job.id, limit=1000).data) == events
    assert faults.outcome(job.id) == undisturbed
    assert faults.files(job.id) == {Path(one.file).name for one in faults.backend.jobs.checkpoints(job.id)}


@pytest.mark.parametrize("mutant", ["fence_off", "position_lost"])
def test_without_fences_or_positions_these_tests_would_fail(
    faults: FaultInjector, undisturbed: dict[str, object], monkeypatch: pytest.MonkeyPatch, mutant: str
) -> None:
    monkeypatch.setattr(WorkItems, "hold", WorkItems.hold)  # and so put back at the end
    monkeypatch.setattr(engine.training.Run, "restore", engine.training.Run.restore)
    getattr(mutants, mutant)()
    job = faults.submit()
    if mutant == "fence_off":
        with pytest.raises((IllegalMove, IntegrityError)):  # what is done would be done once more
            faults.overtake(job.id, 9)
    else:
        faults.kill_worker(job.id, 10)
        faults.attempt(job.id)
        assert faults.outcome(job.id) != undisturbed


def test_attempts_count_against_a_job_only_while_it_gets_no_further(faults: FaultInjector) -> None:
    job = faults.submit()
    for _ in range(4):  # more than max_attempts
        faults.kill_worker(job.id, 12)
    assert faults.backend.jobs.get(job.id).state is Status.QUEUED
    for _ in range(2):  # and the last one of those
        faults.kill_worker(job.id, 1)
    failed = faults.backend.jobs.get(job.id)
    assert failed.state is Status.FAILED and failed.error is not None and failed.error.code == "worker_lost"


def test_a_stop_keeps_the_best_model_and_a_cancel_none(faults: FaultInjector) -> None:
    stopped, cancelled = (faults.submit() for _ in range(2))
    done = faults.attempt(stopped.id, 14, lambda: faults.backend.jobs.stop(stopped.id) and None)
    assert (done.state, done.stop_reason) == (Status.SUCCEEDED, "stopped_by_user")
    assert done.result is not None and done.result["epochs"] < 6
    assert load(faults.backend.jobs.model_path(stopped.id)).weights_sha256 == done.result["weights_sha256"]
    assert (
        faults.attempt(cancelled.id, 14, lambda: faults.backend.jobs.cancel(cancelled.id) and None).state
        is Status.CANCELLED
    )


def test_a_revision_takes_effect_once_at_an_epochs_start_whatever_happens_to_its_worker(
    faults: FaultInjector,
) -> None:
    jobs = [faults.submit(checks={"gradients": []}) for _ in range(2)]
    patch = {"optimizer": {"learning_rate": 0.05}, "training": {"epochs": 8, "batch_size": 10}}
    for job in jobs:
        known = faults.backend.jobs.hyperparameters(job.id)
        changed = merged(dict(known.spec), patch)
        faults.backend.jobs.revise(known, JobSpec.model_validate(changed), patch)
    twin, disturbed = jobs
    faults.attempt(twin.id)
    for after in (5, 12, 17):
        faults.kill_worker(disturbed.id, after)
    faults.attempt(disturbed.id)
    assert faults.outcome(disturbed.id) == faults.outcome(twin.id)
    (revision,) = faults.store.on_behalf_of(LOCAL).revisions.page(disturbed.id)
    assert revision.effective_epoch == 1


def test_the_environment_is_noted_and_a_resume_elsewhere_says_that_bits_may_differ(
    faults: FaultInjector, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = faults.submit()
    faults.kill_worker(job.id, 14)
    noted = faults.backend.jobs.get(job.id).environment
    assert noted is not None and noted["numpy"] == np.__version__ and noted["threads"]
    faults.kill_worker(job.id, 1)
    assert "resumed_elsewhere" not in faults.types(job.id)
    monkeypatch.setattr("worker.work.train.environment", lambda device: dict(noted) | {"blas_kernel": "Another"})
    faults.attempt(job.id)
    (said,) = [
        event.data for event in faults.backend.jobs.events(job.id, limit=1000).data if event.type == "resumed_elsewhere"
    ]
    assert said["differences"] == {"blas_kernel": [noted["blas_kernel"], "Another"]}


def test_a_job_that_does_not_fit_into_its_device_says_what_it_needs_and_what_there_was(
    faults: FaultInjector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.work.train.placed", lambda *_: Placement(Processor(100_000)))
    job = faults.attempt(faults.submit(layers=[{"type": "dense", "units": 500}, {"type": "dense", "units": 500}]).id)
    assert job.state is Status.FAILED and job.error is not None and job.environment is not None
    assert (job.error.code, job.error.param) == ("out_of_memory", "/training/batch_size")
    assert re.search(r"needs at least \d+ MiB .* of which 1 MiB were free", job.error.message)
    assert job.environment["device"] == "processor"


def test_a_job_starts_from_the_best_or_the_last_parameters_of_another(faults: FaultInjector) -> None:
    source = faults.submit()
    faults.attempt(source.id, 14, lambda: faults.backend.jobs.pause(source.id) and None)
    newest = faults.backend.jobs.checkpoints(source.id)[-1]
    checkpoint = Checkpoint.load(faults.backend.settings.data_dir / newest.file)
    wanted = {"last": checkpoint.parameters, newest.number: checkpoint.parameters, "best": checkpoint.best}
    for which, parameters in wanted.items():
        assert parameters is not None
        still = {"optimizer": {"type": "gradient_descent", "learning_rate": 1e-30}, "training": {"epochs": 1}}
        start = {"start_from": {"job": source.id, "checkpoint": which}}
        job = faults.attempt(faults.submit(**still, **start, checks={"gradients": []}).id)
        assert job.state is Status.SUCCEEDED, job.error
        model = load(faults.backend.jobs.model_path(job.id)).parameters.named()
        np.testing.assert_array_equal(model["W1"], parameters["W1"])
        assert "transferred" in faults.types(job.id)


def test_a_job_that_goes_on_from_another_keeps_its_scales_over_a_lost_worker_and_to_the_same_bits(
    faults: FaultInjector,
) -> None:
    source = faults.submit(training={"epochs": 2})
    faults.attempt(source.id)
    split = {"type": "fractions", "train": 0.3, "dev": 0.2, "test": 0.5, "seed": 9}
    wanted = {
        "data": {"train": "iris", "target": "label", "split": split},  # other rows have other means
        "start_from": {"job": source.id},
    }
    lost, calm = faults.submit(**wanted), faults.submit(**wanted)
    faults.attempt(lost.id, 14, lambda: faults.backend.jobs.pause(lost.id) and None)
    assert "transferred" in faults.types(lost.id) and faults.backend.jobs.checkpoints(lost.id)
    faults.backend.jobs.resume(lost.id)
    for job in (lost, calm):
        assert faults.attempt(job.id).state is Status.SUCCEEDED
    models = [load(faults.backend.jobs.model_path(job.id)) for job in (source, lost, calm)]
    assert models[1].weights_sha256 == models[2].weights_sha256
    for name, array in models[0].preprocessor.statistics.items():
        for model in models[1:]:
            np.testing.assert_array_equal(model.preprocessor.statistics[name], array)


def test_progress_says_what_is_left(faults: FaultInjector) -> None:
    job = faults.submit()
    faults.attempt(job.id, 14, lambda: faults.backend.jobs.pause(job.id) and None)
    progress = faults.backend.jobs.get(job.id).progress
    assert progress is not None
    assert (progress.steps, progress.patience, progress.at_most) == (6 * 6, 3, True)
    assert 0 < progress.step < progress.steps
    assert progress.examples_per_second and progress.eta_seconds


@pytest.mark.parametrize(("units", "state"), [(600, Status.SUCCEEDED), (2500, Status.FAILED)])
def test_without_room_for_checkpoints_a_job_goes_on_and_without_room_for_its_model_it_fails(
    faults: FaultInjector, monkeypatch: pytest.MonkeyPatch, units: int, state: Status
) -> None:
    """No file may grow beyond 12 MiB, as on a disk that is full; the database is smaller."""
    monkeypatch.setattr("worker.work.attempt.FULL_RETRIES", 1)
    layers = [{"type": "dense", "units": units}, {"type": "relu"}, {"type": "dense", "units": 1400}, {"type": "relu"}]
    job = faults.submit(layers=layers, training={"epochs": 1, "batch_size": 32}, checks={"gradients": []})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (12 << 20, hard))
    try:
        done = faults.attempt(job.id)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert done.state is state
    assert faults.types(job.id).count("checkpoint_failed") == 1 and not faults.files(job.id)
    assert not list((faults.backend.settings.data_dir / "unfinished").glob("*"))
    if state is Status.FAILED:
        assert done.error is not None and done.error.code == "storage_full"
        assert not list((faults.backend.settings.data_dir / "models").glob(f"{job.id}/*"))
    else:
        assert load(faults.backend.jobs.model_path(job.id))
