"""The events of a job as they happen: server-sent events, taken up again where a connection broke."""

import json
from collections.abc import Iterator
from time import monotonic
from typing import cast

import httpx
from httpx_sse import EventSource, ServerSentEvent

from trainshed.client.connection import Connection
from trainshed.client.retries import attempts
from trainshed.client.types import Event, Job

SILENCE_SECONDS = 60.0  # the service sends heartbeats far more often
STEADY_SECONDS = 5.0  # a connection that lasted so long was a good one, although it brought nothing
RETRIES = 8  # of a stream that was open: a service that is started anew takes some seconds


def events(connection: Connection, job_id: str, after: int) -> Iterator[Event]:
    """Those behind the number `after`, `done` the last; raises Unreachable once the connection cannot be taken up."""
    seen, retries = after, connection.retries
    with connection.translate_errors():
        while True:
            for attempt in attempts(repeatable=True, retries=retries):  # as many anew whenever one has gone well
                with attempt:
                    opened, before = monotonic(), seen
                    try:
                        with connection.stream(
                            f"/v1/jobs/{job_id}/stream", headers=_headers(seen), silence=SILENCE_SECONDS
                        ) as response:
                            retries = max(retries, RETRIES)
                            if response.status_code == 204:  # `after` was the number of `done`
                                return
                            for message in EventSource(response).iter_sse():
                                if not message.data:  # a heartbeat, a comment
                                    continue
                                event = _read_event(message)
                                seen = event["seq"]
                                yield event
                                if event["type"] == "done":
                                    return
                            raise httpx.ReadError("the stream ended before the job did")
                    except httpx.TransportError:
                        if seen == before and monotonic() - opened < STEADY_SECONDS:
                            raise


def _headers(after: int) -> dict[str, str]:
    return {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(after)} if after else {})


def _read_event(message: ServerSentEvent) -> Event:
    """`done` carries the job itself, and happened when that ended."""
    data = json.loads(message.data)
    if message.event != "done":
        return cast(Event, data)
    job = cast(Job, data)
    at = job["finished_at"] or job["updated_at"]
    return Event(seq=int(message.id), type="done", at=at, attempt=job["attempt"], data=data)
