"""Gradient checks in real worker processes: their messages may be lost, and so may the workers."""

from collections.abc import Callable
from typing import Protocol

import pytest

from engine import GradientCheckSpec, JobSpec
from worker.domain.gradient_checks import GradientCheck
from worker.domain.work_items import Status
from worker.queue.publisher import Publisher
from worker.workspace import Workspace

Make = Callable[..., JobSpec]
WIDE = [{"type": "dense", "units": 4000}, {"type": "tanh"}, {"type": "dense", "units": 1000}, {"type": "tanh"}]
LONG = GradientCheckSpec(at="start", sample=10_000)  # of the wide network: 10¹⁴ products, minutes on any machine


class Process(Protocol):
    def terminate(self) -> None: ...
    def kill(self) -> None: ...
    def wait(self, timeout: float | None = None) -> int: ...


class Fleet(Protocol):
    backend: Workspace

    def start_worker(self) -> Process: ...
    def end_leases(self) -> None: ...


Until = Callable[[Callable[[], object]], None]


def made(backend: Workspace, check: GradientCheck, until: Until) -> GradientCheck:
    until(lambda: backend.jobs.gradient_check(check.job_id, check.number).done)
    return backend.jobs.gradient_check(check.job_id, check.number)


def test_a_check_is_made_whatever_became_of_its_message(
    fleet: Callable[..., Fleet], spec: Make, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = fleet()
    backend = running.backend
    job = backend.jobs.submit(spec())
    early = backend.jobs.check_gradients(job.id, GradientCheckSpec(at="start"))
    running.start_worker()
    assert backend.jobs.wait(job.id, 60).state is Status.SUCCEEDED
    report = made(backend, early, until).report
    assert report is not None
    assert (report["at"], report["verdict"]) == ("start", "great")

    with monkeypatch.context() as patched:
        patched.setattr(
            Publisher, "publish", lambda *_, **__: None
        )  # this process says nothing; the worker's sweeper does
        check = made(backend, backend.jobs.check_gradients(job.id, GradientCheckSpec()), until)
    assert (check.state, check.attempt, check.number) == (Status.SUCCEEDED, 1, 2)


@pytest.mark.accept
@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
def test_a_check_of_a_worker_that_ends_or_dies_is_taken_up_by_another(
    database_url: str, fleet: Callable[..., Fleet], spec: Make, until: Until
) -> None:
    running = fleet(database_url=database_url)
    backend, worker = running.backend, running.start_worker()
    job = backend.jobs.submit(spec(layers=WIDE, training={"epochs": 1}, data={"train": "digits", "target": "label"}))
    assert backend.jobs.wait(job.id, 60).state is Status.SUCCEEDED
    check = backend.jobs.check_gradients(job.id, LONG)

    def state() -> tuple[Status, int]:
        now = backend.jobs.gradient_check(job.id, check.number)
        return now.state, now.attempt

    until(lambda: state() == (Status.RUNNING, 1))
    following = running.start_worker()
    worker.kill()
    worker.wait()
    running.end_leases()
    until(lambda: state() == (Status.RUNNING, 2))
    following.terminate()  # asked to end, it gives the check back at once
    assert following.wait(60) == 0
    assert state() == (Status.QUEUED, 2)
    assert backend.jobs.get(job.id).state is Status.SUCCEEDED
