"""The newest revisions of the registered models, read from the store for every request.

SQLite is asked in the event loop, as it answers in ten microseconds, once for all requests that came in one turn of the
loop. PostgreSQL is asked in a thread, and whoever comes while it is goes with the next question.
"""

import asyncio
from contextlib import suppress
from time import monotonic

import structlog
from fastapi.concurrency import run_in_threadpool

from worker.errors import StoreUnavailable
from worker.workspace import Workspace

PATIENCE = 1.0
"""Seconds that a request waits for the store, and for which a store that did not answer is not asked again."""


Key = tuple[str, str]
"""A tenant and the name of a model."""


class Revisions:
    """Of one event loop."""

    def __init__(self) -> None:
        self._turn: dict[Key, int | None] = {}  # read in this turn of the loop
        self._questions: dict[Key, asyncio.Task[int | None]] = {}  # that have not been asked yet
        self._asking = asyncio.Lock()
        self._away_until = 0.0
        self._log = structlog.get_logger("revisions")

    async def is_newest(self, backend: Workspace, name: str, revision: int) -> bool:
        """Whether a model is at this revision still.

        While the store does not answer it counts as such: nobody can have been told of another one then.
        """
        key = backend.principal.tenant, name
        if key in self._turn:
            return self._turn[key] == revision
        if backend.models.answers_at_once:
            with suppress(StoreUnavailable):  # it is busy just now: a thread can wait
                newest = backend.models.revision_at_once(name)
                if not self._turn:
                    asyncio.get_running_loop().call_soon(self._turn.clear)
                self._turn[key] = newest
                return newest == revision
        if monotonic() < self._away_until:
            return True
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._asked(backend, name) == revision
        except (StoreUnavailable, TimeoutError) as error:
            self._away_until = monotonic() + PATIENCE
            self._log.warning("not_asked", model=name, error=str(error) or "the store does not answer")
            return True

    async def _asked(self, backend: Workspace, name: str) -> int | None:
        """The answer to a question that is asked from now on, by this request or by one that came with it."""
        key = backend.principal.tenant, name
        question = self._questions.get(key)
        if question is None:
            question = self._questions[key] = asyncio.create_task(self._ask(backend, name))
        return await asyncio.shield(question)  # one that leaves takes nobody along

    async def _ask(self, backend: Workspace, name: str) -> int | None:
        async with self._asking:
            del self._questions[backend.principal.tenant, name]
            return await run_in_threadpool(backend.models.revision, name)
