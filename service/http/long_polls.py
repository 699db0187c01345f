"""Waiting for a job to change without a thread per waiter: what long polls and event streams share."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Protocol, TypeVar

from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool

from worker.workspace import Workspace


class Watchers:
    """Everybody who waits in this process; closing wakes them all, so that a shutdown is not held up."""

    def __init__(self, capacity: int = 200) -> None:
        self.capacity = capacity
        self.closed = False
        self._bells: set[asyncio.Event] = set()

    @property
    def count(self) -> int:
        """How many wait."""
        return len(self._bells)

    @property
    def full(self) -> bool:
        """Whether nobody more may wait."""
        return self.count >= self.capacity

    def close(self) -> None:
        """Called in the event loop: whoever waits is woken, and whoever comes later does not wait."""
        self.closed = True
        for bell in self._bells:
            bell.set()

    @asynccontextmanager
    async def listening(self, backend: Workspace, job_id: str) -> AsyncIterator["Bell"]:
        """Inside the block no change of the job goes by unheard."""
        loop, event = asyncio.get_running_loop(), asyncio.Event()

        def ring() -> None:
            """Called in a thread of the notifier's."""
            loop.call_soon_threadsafe(event.set)

        self._bells.add(event)
        try:
            async with contextmanager_in_threadpool(backend.jobs.subscribe(job_id, ring)):
                yield Bell(self, event)
        finally:
            self._bells.discard(event)


class Bell:
    """Rings when the job may have changed."""

    def __init__(self, watchers: Watchers, event: asyncio.Event) -> None:
        self._watchers = watchers
        self._event = event

    @property
    def closing(self) -> bool:
        """Whether the service is going down."""
        return self._watchers.closed

    async def rang(self, seconds: float) -> bool:
        """Wait for the next ring, at most so long; one that came since the last wait counts."""
        if self.closing:
            return False
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Settling(Protocol):
    """What comes to an end."""

    @property
    def done(self) -> bool: ...


Settled = TypeVar("Settled", bound=Settling)


async def settled(
    backend: Workspace, watchers: Watchers, job_id: str, seconds: float, read: Callable[[], Settled]
) -> Settled:
    """The job, or what `read` reads of it, once it is done, or as it is when the time is over."""
    now = await run_in_threadpool(read)
    deadline = monotonic() + min(seconds, backend.settings.max_wait_seconds)
    if now.done or seconds <= 0 or watchers.full:
        return now
    async with watchers.listening(backend, job_id) as bell:
        while True:
            # Read after listening began: a change in between would never ring.
            now = await run_in_threadpool(read)
            if now.done or bell.closing or not await bell.rang(deadline - monotonic()):
                return now
