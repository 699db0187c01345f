"""Jobs that are asked for while others are written are written together, and each has its own answer."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from engine import JobSpec
from tests.worker.conftest import quick_settings
from worker.backend import Backend, open_backend
from worker.domain.jobs import Job
from worker.domain.principals import LOCAL
from worker.errors import QueueFull
from worker.store import NewJob
from worker.workspace import Workspace


def spec(name: str, **fields: object) -> JobSpec:
    return JobSpec.model_validate({"name": name, "data": {"train": "iris", "target": "label"}, **fields})


@pytest.fixture
def opened(tmp_path: Path, redis_url: str) -> Iterator[Backend]:
    with open_backend(quick_settings(tmp_path, redis_url=redis_url, max_queued=6, sweep_seconds=60.0)) as opened:
        yield opened


@pytest.fixture
def backend(opened: Backend) -> Workspace:
    workspace = opened.on_behalf_of(LOCAL)
    for _ in range(2):  # the first keeps the sample set, the second is checked by what was seen in it
        workspace.jobs.submit(spec("known"))
    return workspace


class Gate:
    """Has a store's writing wait until it is let through; remembers what was written together."""

    def __init__(self, opened: Backend, monkeypatch: pytest.MonkeyPatch, failing: BaseException | None = None) -> None:
        self.entered, self.go = Event(), Event()
        self.together: list[list[str | None]] = []
        jobs = opened._store.new_jobs
        create = jobs.create

        def held(wanted: Sequence[NewJob], *, max_queued: int) -> list[object]:
            self.together.append([one.draft.name for one in wanted])
            self.entered.set()
            assert self.go.wait(60)
            if failing is not None:
                raise failing
            return list(create(wanted, max_queued=max_queued))

        monkeypatch.setattr(jobs, "create", held)


def test_what_comes_while_others_are_written_goes_together_and_is_answered_one_by_one(
    opened: Backend, backend: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(opened, monkeypatch)
    first = backend.jobs.submit_soon(spec("first"))
    assert gate.entered.wait(60)
    wrong = spec("wrong", training={"batch_size": 1}, layers=[{"type": "dense", "units": 2}, {"type": "batch_norm"}])
    unread = spec("unread", data={"train": "wine", "target": "label"})
    wanted = [spec("a"), wrong, unread, spec("leaves"), spec("b"), spec("full")]
    rest = [backend.jobs.submit_soon(one) for one in wanted]
    assert rest[3].cancel()
    gate.go.set()
    assert first.result(60).name == "first"
    outcomes = [future.exception(60) or future.result() for future in rest if not future.cancelled()]
    assert gate.together[:2] == [["first"], ["a", "b", "full"]]
    assert gate.together[2:] == [["unread"]]  # which was looked through meanwhile
    names = [outcome.name if isinstance(outcome, Job) else type(outcome).__name__ for outcome in outcomes]
    assert names == ["a", "SpecError", "QueueFull", "b", "full"]
    jobs = [outcome for outcome in outcomes if isinstance(outcome, Job)]
    assert [job.queue_position for job in jobs] == [4, 5, 6]
    assert [backend.jobs.get(job.id) for job in jobs] == jobs
    with pytest.raises(type(outcomes[1]), match=str(outcomes[1])[:40]):
        backend.jobs.submit(wrong)
    with pytest.raises(QueueFull):
        backend.jobs.submit(spec("more"))


def test_what_goes_wrong_with_all_is_said_to_all_and_the_next_are_served(
    opened: Backend, backend: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        gate = Gate(opened, patch, ZeroDivisionError("a bug"))
        gate.go.set()
        wanted = [backend.jobs.submit_soon(spec(name)) for name in "ab"]
        assert [type(future.exception(60)) for future in wanted] == [ZeroDivisionError] * 2
    assert backend.jobs.submit(spec("after")).name == "after"


def test_what_was_asked_for_before_the_end_is_answered(tmp_path: Path, redis_url: str) -> None:
    with open_backend(quick_settings(tmp_path, redis_url=redis_url, sweep_seconds=60.0)) as opened:
        backend = opened.on_behalf_of(LOCAL)
        wanted = [backend.jobs.submit_soon(spec(str(number))) for number in range(9)]
    assert {future.result(0).name for future in wanted} == {str(number) for number in range(9)}


def test_one_that_is_looked_through_in_no_time_is_written_once(
    opened: Backend, backend: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader may be done before the thread that asked it goes on."""

    def at_once(self: object, read: Callable[..., None], *arguments: object) -> None:
        read(*arguments)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", at_once)
    gate = Gate(opened, monkeypatch)
    gate.go.set()
    unread = [spec(name, data={"train": "wine", "target": "label"}) for name in ("one", "other")]
    wanted = [backend.jobs.submit_soon(one) for one in unread]
    assert {future.result(60).name for future in wanted} == {"one", "other"}
    assert backend.jobs.submit(spec("after")).name == "after"
    assert sorted(str(name) for names in gate.together for name in names) == ["after", "one", "other"]
