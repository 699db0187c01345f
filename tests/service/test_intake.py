"""Submissions that come together are written together, and each has its own answer."""

import asyncio
from collections.abc import Sequence
from threading import Event
from types import SimpleNamespace
from typing import Any, cast

import pytest

from engine import JobSpec
from service.intake import Intake
from tests.worker.conftest import quick
from worker.backend import open_backend
from worker.domain.jobs import Job
from worker.domain.principals import LOCAL
from worker.errors import QueueFull
from worker.workspace import Workspace


def spec(name: str, **fields: object) -> JobSpec:
    return JobSpec.model_validate({"name": name, "data": {"train": "iris", "target": "label"}, **fields})


class Played:
    """A backend that says what was asked of it together, and does so only once it may."""

    def __init__(self) -> None:
        self.go = Event()
        self.asked: list[list[str]] = []
        self.alone: list[str] = []

    def submit_all(self, specs: Sequence[JobSpec]) -> list[object]:
        self.asked.append([str(one.name) for one in specs])
        assert self.go.wait(60)
        refused, closer = QueueFull(1), None
        return [{"refused": refused, "closer": closer}.get(str(one.name), named(str(one.name))) for one in specs]

    def submit(self, one: JobSpec) -> Job:
        self.alone.append(str(one.name))
        return named(str(one.name))


def named(name: str) -> Job:
    job = object.__new__(Job)
    object.__setattr__(job, "name", name)
    return job


async def asked(backend: Played, number: int) -> None:
    while len(backend.asked) < number:
        await asyncio.sleep(0)


def test_what_comes_while_others_are_written_goes_together_and_is_answered_one_by_one() -> None:
    backend = Played()

    async def crowd() -> list[object]:
        intake = Intake(cast(Workspace, SimpleNamespace(jobs=backend)), lambda job: f"<{job.name}>".encode())
        first = asyncio.create_task(intake.job(spec("first")))
        await asked(backend, 1)
        names = ["a", "refused", "b", "closer", "leaves", "c"]
        rest = [asyncio.create_task(intake.job(spec(name))) for name in names]
        await asyncio.sleep(0)
        rest[4].cancel()
        backend.go.set()
        return await asyncio.gather(first, *rest, return_exceptions=True)

    outcomes: list[Any] = asyncio.run(crowd())
    assert backend.asked == [["first"], ["a", "refused", "b", "closer", "leaves", "c"]]
    assert backend.alone == ["closer"]
    assert isinstance(outcomes[2], QueueFull) and isinstance(outcomes[5], asyncio.CancelledError)
    answers = [content for _, content in (outcomes[place] for place in (0, 1, 3, 4, 6))]
    assert answers == [b"<first>", b"<a>", b"<b>", b"<closer>", b"<c>"]


def test_what_goes_wrong_with_all_is_said_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Played()

    def broken(specs: object) -> list[object]:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(backend, "submit_all", broken)

    async def crowd() -> list[object]:
        intake = Intake(cast(Workspace, SimpleNamespace(jobs=backend)), lambda job: b"")
        return await asyncio.gather(*(intake.job(spec(name)) for name in "ab"), return_exceptions=True)

    assert [type(outcome) for outcome in asyncio.run(crowd())] == [ZeroDivisionError] * 2


def test_a_backend_says_of_each_what_it_would_say_alone(tmp_path, redis_url) -> None:
    with open_backend(quick(tmp_path, redis_url=redis_url, max_queued=5, sweep_seconds=60.0)) as opened:
        backend = opened.on_behalf_of(LOCAL)
        known = spec("known")
        assert backend.jobs.submit_all([known]) == [None]  # its data has never been looked at
        for _ in range(2):  # which keeps the sample set, and then looks through it
            backend.jobs.submit(known)
        wrong = spec(
            "wrong", training={"batch_size": 1}, layers=[{"type": "dense", "units": 2}, {"type": "batch_norm"}]
        )
        other = spec("other", data={"train": "wine", "target": "label"})
        outcomes = backend.jobs.submit_all([known, wrong, other, known, known, known])
        assert [type(outcome).__name__ for outcome in outcomes] == [
            "Job", "SpecError", "NoneType", "Job", "Job", "QueueFull",
        ]  # fmt: skip
        with pytest.raises(type(outcomes[1]), match=str(outcomes[1])[:40]):
            backend.jobs.submit(wrong)
        jobs = [outcome for outcome in outcomes if isinstance(outcome, Job)]
        assert [job.queue_position for job in jobs] == [3, 4, 5]
        assert [backend.jobs.get(job.id) for job in jobs] == jobs
