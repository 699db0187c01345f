"""Submissions on their way in: those that come while others are written are written together, in one thread."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence

from fastapi.concurrency import run_in_threadpool

from engine import EngineError, JobSpec
from worker.domain.jobs import Job
from worker.errors import WorkerError
from worker.workspace import Workspace

Taken = tuple[Job, bytes]
"""A job, and what it is answered with."""

Outcome = Taken | EngineError | WorkerError | None
MOST = 64  # in one transaction: the first of them should not wait for long


class Load:
    """Submissions that go together; to be made in the event loop."""

    def __init__(self, take: "Callable[[Load], Coroutine[None, None, list[Outcome]]]") -> None:
        self.specs: list[JobSpec] = []
        self.outcomes = asyncio.create_task(take(self))  # which begins once more may have come


class Intake:
    """Belongs to one event loop."""

    def __init__(self, backend: Workspace, written: Callable[[Job], bytes]) -> None:
        self._backend = backend
        self._written = written
        self._turn = asyncio.Lock()
        self._next: Load | None = None

    async def job(self, spec: JobSpec) -> Taken:
        """The job of a spec; raises what `Workspace.submit` raises."""
        if self._next is None or len(self._next.specs) >= MOST:
            self._next = Load(self._take)
        load, place = self._next, len(self._next.specs)
        load.specs.append(spec)
        outcome = (await asyncio.shield(load.outcomes))[place]  # one that leaves takes nobody along
        if outcome is None:
            return await run_in_threadpool(self._alone, spec)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _take(self, load: Load) -> list[Outcome]:
        async with self._turn:
            if self._next is load:
                self._next = None
            return await run_in_threadpool(self._together, load.specs)

    def _together(self, specs: Sequence[JobSpec]) -> list[Outcome]:
        outcomes = self._backend.jobs.submit_all(specs)
        return [(one, self._written(one)) if isinstance(one, Job) else one for one in outcomes]

    def _alone(self, spec: JobSpec) -> Taken:
        job = self._backend.jobs.submit(spec)
        return job, self._written(job)
