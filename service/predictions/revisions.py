"""The newest revisions of the registered models, as of every request.

SQLite's writes are counted: while their number is the same nothing has to be read, and if it is not, SQLite answers in
ten microseconds, in the event loop. PostgreSQL is asked in a thread, and whoever comes meanwhile goes with the next
question.
"""

import asyncio
from contextlib import suppress
from time import monotonic

import structlog
from fastapi.concurrency import run_in_threadpool

from worker.errors import StoreUnavailable
from worker.workspace import Workspace

MOST_KNOWN = 10_000  # models
PATIENCE = 1.0
"""Seconds that a request waits for the store, and for which a store that did not answer is not asked again."""


Key = tuple[str, str]
"""A tenant and the name of a model."""


class Revisions:
    """Of one event loop."""

    def __init__(self) -> None:
        self._known: dict[Key, tuple[int, int | None]] = {}  # with the number of writes before it was read
        self._questions: dict[Key, asyncio.Task[int | None]] = {}  # that have not been asked yet
        self._asking = asyncio.Lock()
        self._away_until = 0.0
        self._log = structlog.get_logger("revisions")

    async def is_newest(self, backend: Workspace, name: str, revision: int) -> bool:
        """Whether a model is at this revision still.

        While the store does not answer it counts as such: nobody can have been told of another one then.
        """
        models, key = backend.models, (backend.principal.tenant, name)
        writes = models.writes
        if writes is not None and (known := self._known.get(key)) is not None and known[0] == writes:
            return known[1] == revision
        if models.answers_at_once:
            with suppress(StoreUnavailable):  # it is busy just now: a thread can wait
                newest = models.revision_at_once(name)
                if writes is not None:
                    self._remember(key, writes, newest)
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

    def _remember(self, key: Key, writes: int, newest: int | None) -> None:
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[key] = writes, newest

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
