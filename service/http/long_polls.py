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
        self._waiting: set[asyncio.Event] = set()

    @property
    def count(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether nobody more may wait."""
        return self.count >= self.capacity

    def close(self) -> None:
        """Called in the event loop: whoever waits is woken, and whoever comes later does not wait."""
        self.closed = True
        for event in self._waiting:
            event.set()

    @asynccontextmanager
    async def subscribe(self, backend: Workspace, job_id: str) -> AsyncIterator["Subscription"]:
        """Inside the block no change of the job goes by unnoticed."""
        loop, event = asyncio.get_running_loop(), asyncio.Event()

        def notify() -> None:
            """Called in a thread of the notifier's."""
            loop.call_soon_threadsafe(event.set)

        self._waiting.add(event)
        try:
            async with contextmanager_in_threadpool(backend.jobs.subscribe(job_id, notify)):
                yield Subscription(self, event)
        finally:
            self._waiting.discard(event)


class Subscription:
    """Notified when the job may have changed."""

    def __init__(self, watchers: Watchers, event: asyncio.Event) -> None:
        self._watchers = watchers
        self._event = event

    @property
    def closing(self) -> bool:
        """Whether the service is going down."""
        return self._watchers.closed

    async def wait(self, seconds: float) -> bool:
        """Wait for the next notification, at most so long, and say whether one came; one since the last wait counts."""
        if self.closing:
            return False
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Ending(Protocol):
    """What comes to an end."""

    @property
    def done(self) -> bool: ...


Item = TypeVar("Item", bound=Ending)


async def wait_until_done(
    backend: Workspace, watchers: Watchers, job_id: str, seconds: float, read: Callable[[], Item]
) -> Item:
    """The job, or what `read` reads of it, once it is done, or as it is when the time is over."""
    now = await run_in_threadpool(read)
    deadline = monotonic() + min(seconds, backend.settings.max_wait_seconds)
    if now.done or seconds <= 0 or watchers.full:
        return now
    async with watchers.subscribe(backend, job_id) as subscription:
        while True:
            # Read after the subscription began: nobody would be told of a change in between.
            now = await run_in_threadpool(read)
            if now.done or subscription.closing or not await subscription.wait(deadline - monotonic()):
                return now
