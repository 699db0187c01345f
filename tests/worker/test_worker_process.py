"""Real worker processes over a real Redis, from the submission to the model."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import psutil
import pytest

from engine import JobSpec, load
from tests.endless import ENDLESS
from worker.domain.work_items import Status
from worker.workspace import Workspace

Make = Callable[..., JobSpec]


class Process(Protocol):
    pid: int

    def send_signal(self, number: int) -> None: ...
    def kill(self) -> None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def poll(self) -> int | None: ...


class Fleet(Protocol):
    backend: Workspace

    def start_worker(self, program: str = ..., *arguments: str, log: Path | None = None) -> Process: ...
    def end_leases(self) -> None: ...


def trainer(backend: Workspace, job_id: str) -> int | None:
    """The process that trains the job, once it has told how much memory it holds."""
    return next((seen.pid for seen in backend.fleet.workers() if seen.job_id == job_id and seen.memory_bytes), None)


def test_jobs_are_trained_failed_cancelled_and_given_back(
    fleet: Callable[..., Fleet], spec: Make, until: Callable[..., None]
) -> None:
    running = fleet()
    backend, worker = running.backend, running.start_worker()
    assert running.opened.health()["redis"].ok

    wanted = spec(checks={"gradients": ["start", "end"]}, training={"epochs": 30})
    job = backend.jobs.wait(backend.jobs.submit(wanted).id, 60)
    assert (job.state, job.stop_reason, job.attempt, job.epoch) == (Status.SUCCEEDED, "completed", 1, 30)
    assert job.result is not None
    assert set(job.result) >= {"train", "dev", "test"}
    assert [row["epoch"] for row in backend.jobs.metrics(job.id).data] == list(range(1, 31))
    assert [check.report["at"] for check in backend.jobs.gradient_checks(job.id).data if check.report] == [
        "start",
        "end",
    ]
    events = backend.jobs.events(job.id, limit=1000).data
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert {"state", "split_advised", "started", "epoch", "gradients_checked"} <= {event.type for event in events}
    model = load(backend.jobs.model_path(job.id))
    assert model.weights_sha256 == backend.jobs.model(job.id).weights_sha256
    # nothing NumPy, and so nothing of a GPU, is in the process that forks
    loaded = {os.path.basename(region.path) for region in psutil.Process(worker.pid).memory_maps()}
    assert not {name for name in loaded if "openblas" in name or "cupy" in name or "multiarray" in name}
    (seen,) = backend.fleet.workers()
    assert psutil.Process(seen.pid).ppid() == worker.pid

    diverging = spec(
        data={"train": "diabetes", "target": "target"},
        optimizer={"type": "gradient_descent", "learning_rate": 10.0},
        training={"epochs": 100},
    )
    failed = backend.jobs.wait(backend.jobs.submit(diverging).id, 60)
    assert failed.state is Status.FAILED
    assert failed.error is not None
    assert (failed.error.code, failed.error.param) == ("diverged", "/optimizer/learning_rate")

    endless = backend.jobs.submit(spec(**ENDLESS))
    until(lambda: backend.jobs.get(endless.id).epoch > 0)
    assert backend.jobs.cancel(endless.id).pending == "cancel"
    cancelled = backend.jobs.wait(endless.id, 60)
    assert (cancelled.state, cancelled.pending) == (Status.CANCELLED, None)
    assert list((backend.settings.data_dir / "models").iterdir()) == [Path(backend.jobs.model(job.id).path).parent]

    given_back = backend.jobs.submit(spec(**ENDLESS))
    until(lambda: backend.jobs.get(given_back.id).epoch > 0)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0
    after = backend.jobs.get(given_back.id)
    assert (after.state, after.timeline[-1].reason) == (Status.QUEUED, "worker_shutdown")
    assert backend.fleet.workers() == ()


@pytest.mark.parametrize(
    ("database_url", "how"),
    [("sqlite", "killed"), pytest.param("postgresql", "asked twice", marks=pytest.mark.accept)],
    indirect=["database_url"],
)
def test_the_job_of_a_worker_that_ends_at_once_is_trained_on_by_another(
    database_url: str, fleet: Callable[..., Fleet], spec: Make, until: Callable[..., None], how: str
) -> None:
    running = fleet(database_url=database_url, checkpoint_seconds=0.2)
    backend, workers = running.backend, [running.start_worker() for _ in range(2)]
    job = backend.jobs.submit(spec(**ENDLESS))
    assert (
        backend.jobs.wait(backend.jobs.submit(spec()).id, 60).state is Status.SUCCEEDED
    )  # by the other: this one trains and trains
    until(lambda: len(backend.jobs.checkpoints(job.id)) > 1 and trainer(backend, job.id))
    first = next(worker for worker in workers if worker.pid == psutil.Process(trainer(backend, job.id)).ppid())
    if how == "killed":
        first.kill()
    else:
        until(lambda: first.send_signal(signal.SIGTERM) or first.poll() is not None)  # two at once may count as one
    assert first.wait(60) == (-signal.SIGKILL if how == "killed" else 128 + signal.SIGTERM)
    reached = backend.jobs.get(job.id).epoch
    running.end_leases()
    until(lambda: backend.jobs.get(job.id).epoch > reached)
    backend.jobs.stop(job.id)
    done = backend.jobs.wait(job.id, 60)
    assert (done.state, done.attempt) == (Status.SUCCEEDED, 2)
    resumed = next(event.data for event in backend.jobs.events(job.id, limit=1000).data if event.type == "resumed")
    assert isinstance(resumed["step"], int) and resumed["step"] > 0
    assert [row["epoch"] for row in backend.jobs.metric_rows(job.id)] == list(range(1, done.epoch + 1))
    uninterrupted = backend.jobs.submit(spec(**ENDLESS | {"training": ENDLESS["training"] | {"epochs": done.epoch}}))
    until(lambda: backend.jobs.get(uninterrupted.id).state is Status.SUCCEEDED)
    assert backend.jobs.model(uninterrupted.id).weights_sha256 == backend.jobs.model(job.id).weights_sha256


COUNTED = (
    "import sys; from pathlib import Path; from worker.process import oom_kills, parent; "
    "count = oom_kills.oom_kills; parent.oom_kills = lambda: count((Path(sys.argv[1]),)); "
    "sys.exit(parent.run_worker(parent.Settings()))"
)


def test_a_job_whose_worker_the_kernel_ended_for_want_of_memory_is_told_apart(
    fleet: Callable[..., Fleet], spec: Make, until: Callable[..., None], tmp_path: Path
) -> None:
    counter = tmp_path / "memory.events"
    counter.write_text("low 0\noom 0\noom_kill 2\noom_group_kill 0\n")
    one = fleet(heartbeat_seconds=0.2, sweep_seconds=0.1)
    worker = one.start_worker(COUNTED, str(counter), log=tmp_path / "worker.log")
    backend = one.backend
    job = backend.jobs.submit(spec(**ENDLESS))
    until(lambda: trainer(backend, job.id))
    counter.write_text("low 0\noom 1\noom_kill 3\noom_group_kill 0\n")
    os.kill(trainer(backend, job.id) or 0, signal.SIGKILL)
    done = backend.jobs.wait(job.id, 60)
    assert done.state is Status.FAILED and done.error is not None
    assert done.error.code == "out_of_memory" and "MiB" in done.error.message
    assert worker.poll() is None
    # and what it says is JSON, Celery's words among it
    said = [json.loads(line) for line in (tmp_path / "worker.log").read_text().splitlines()]
    assert any(line["level"] == "error" and "SIGKILL" in line["event"] for line in said)
