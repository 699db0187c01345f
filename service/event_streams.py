"""A job's events as they happen: pages of the store, read again whenever the notifier calls."""

from collections.abc import AsyncIterator

from fastapi.concurrency import run_in_threadpool
from fastapi.sse import ServerSentEvent

from service.http.error_handlers import Over
from service.http.long_polls import Watchers
from service.views.events import EventView
from service.views.jobs import JobView
from worker.domain.events import Event
from worker.domain.jobs import Job
from worker.domain.paging import Page
from worker.workspace import Workspace

PAGE = 100
PATIENCE = 30.0  # seconds until the store is read although nobody was notified
RECONNECT = 2000  # milliseconds a browser waits before it comes back


def refuse_if_over(backend: Workspace, job: Job, last_event_id: int) -> None:
    """Raise Over for who comes back with the id of `done`, or of an event that never was."""
    if job.done and last_event_id > 0 and not backend.jobs.events(job.id, after=last_event_id - 1, limit=1).data:
        raise Over


async def events(backend: Workspace, watchers: Watchers, job_id: str, after: int) -> AsyncIterator[ServerSentEvent]:
    """Every event behind `after`, then `done` with the job itself once nothing more can happen.

    A stream that the service's end cuts short has no `done`; the client comes back with Last-Event-ID. The id of `done`
    is its own, one behind the last event's: who has seen that event alone is still told.
    """
    yield ServerSentEvent(comment="events of a training job", retry=RECONNECT)
    async with watchers.subscribe(backend, job_id) as subscription:
        while not subscription.closing:
            # The job first: an event that ends it is then surely in the page read after it.
            job = await run_in_threadpool(backend.jobs.get, job_id)
            while (page := await run_in_threadpool(_page, backend, job_id, after)).data:
                for event in page.data:
                    after = event.seq
                    yield ServerSentEvent(id=str(event.seq), event=event.type, data=EventView.of(event))
            if job.done:
                yield ServerSentEvent(id=str(after + 1), event="done", data=JobView.of(job))
                return
            await subscription.wait(PATIENCE)


def _page(backend: Workspace, job_id: str, after: int) -> Page[Event]:
    return backend.jobs.events(job_id, after=after, limit=PAGE)
