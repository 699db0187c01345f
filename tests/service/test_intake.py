"""Submissions that come together are written together, and each has its own answer."""

import asyncio
from collections.abc import Sequence
from threading import Event
from typing import Any, cast

import pytest

from engine import JobSpec
from service.intake import Intake
from tests.worker.conftest import quick
from worker.errors import QueueFull
from worker.jobs import Job
from worker.yard import Yard, open_yard


def spec(name: str, **fields: object) -> JobSpec:
    return JobSpec.model_validate({"name": name, "data": {"train": "iris", "target": "label"}, **fields})


class Played:
    """A yard that says what was asked of it together, and does so only once it may."""

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


async def asked(yard: Played, number: int) -> None:
    while len(yard.asked) < number:
        await asyncio.sleep(0)


def test_what_comes_while_others_are_written_goes_together_and_is_answered_one_by_one() -> None:
    yard = Played()

    async def crowd() -> list[object]:
        intake = Intake(cast(Yard, yard), lambda job: f"<{job.name}>".encode())
        first = asyncio.create_task(intake.job(spec("first")))
        await asked(yard, 1)
        names = ["a", "refused", "b", "closer", "leaves", "c"]
        rest = [asyncio.create_task(intake.job(spec(name))) for name in names]
        await asyncio.sleep(0)
        rest[4].cancel()
        yard.go.set()
        return await asyncio.gather(first, *rest, return_exceptions=True)

    outcomes: list[Any] = asyncio.run(crowd())
    assert yard.asked == [["first"], ["a", "refused", "b", "closer", "leaves", "c"]]
    assert yard.alone == ["closer"]
    assert isinstance(outcomes[2], QueueFull) and isinstance(outcomes[5], asyncio.CancelledError)
    answers = [content for _, content in (outcomes[place] for place in (0, 1, 3, 4, 6))]
    assert answers == [b"<first>", b"<a>", b"<b>", b"<closer>", b"<c>"]


def test_what_goes_wrong_with_all_is_said_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    yard = Played()

    def broken(specs: object) -> list[object]:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(yard, "submit_all", broken)

    async def crowd() -> list[object]:
        intake = Intake(cast(Yard, yard), lambda job: b"")
        return await asyncio.gather(*(intake.job(spec(name)) for name in "ab"), return_exceptions=True)

    assert [type(outcome) for outcome in asyncio.run(crowd())] == [ZeroDivisionError] * 2


def test_a_yard_says_of_each_what_it_would_say_alone(tmp_path, redis_url) -> None:
    with open_yard(quick(tmp_path, redis_url=redis_url, max_queued=5, sweep_seconds=60.0)) as yard:
        known = spec("known")
        assert yard.submit_all([known]) == [None]  # its data has never been looked at
        for _ in range(2):  # which keeps the sample set, and then looks through it
            yard.submit(known)
        wrong = spec(
            "wrong", training={"batch_size": 1}, layers=[{"type": "dense", "units": 2}, {"type": "batch_norm"}]
        )
        other = spec("other", data={"train": "wine", "target": "label"})
        outcomes = yard.submit_all([known, wrong, other, known, known, known])
        assert [type(outcome).__name__ for outcome in outcomes] == [
            "Job", "SpecError", "NoneType", "Job", "Job", "QueueFull",
        ]  # fmt: skip
        with pytest.raises(type(outcomes[1]), match=str(outcomes[1])[:40]):
            yard.submit(wrong)
        jobs = [outcome for outcome in outcomes if isinstance(outcome, Job)]
        assert [job.queue_position for job in jobs] == [3, 4, 5]
        assert [yard.job(job.id) for job in jobs] == jobs
