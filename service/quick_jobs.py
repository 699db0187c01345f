"""The short way for what most submissions are: a valid spec as JSON, without a key and without a query.

It stands in front of the framework, whose routing, validation and serialization take longer than queuing the job.
Whatever it does not know by heart it leaves to the route, with the body unread again: both answer the same bytes.
"""

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from engine import EngineError, JobSpec
from service import json_text
from service.bodies import validated
from service.error_handlers import on_package_error
from service.plain_requests import again, is_plain, whole_body
from service.problems import RequestRefused
from service.views import JobView
from worker.errors import WorkerError
from worker.yard import Yard

PATH = "/v1/jobs"


class QuickRoute:
    """For the access log: the route that the request would have taken."""

    path_format = PATH


class QuickJobs:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, yard: Yard, max_body_bytes: int) -> None:
        self.app = app
        self.yard = yard
        self.max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_submission(scope):
            await self.app(scope, receive, send)
            return
        message = await receive()
        body = whole_body(message)
        spec = None if body is None or len(body) > self.max_body_bytes else spec_of(body)
        if spec is None:
            await self.app(scope, again(message, receive), send)
            return
        scope["route"] = QuickRoute
        try:
            job_id, content = await run_in_threadpool(self._submitted, spec)
        except (EngineError, WorkerError) as error:
            await (await on_package_error(Request(scope), error))(scope, receive, send)
            return
        headers = [
            (b"location", f"{PATH}/{job_id}".encode()),
            (b"content-length", str(len(content)).encode()),
            (b"content-type", b"application/json"),
        ]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _submitted(self, spec: JobSpec) -> tuple[str, bytes]:
        job = self.yard.submit(spec)
        return job.id, JobView.of(job).model_dump_json().encode()


def is_submission(scope: Scope) -> bool:
    """Whether a job is submitted, and nothing but that is asked for."""
    return (
        scope["type"] == "http"
        and scope["method"] == "POST"
        and scope["path"] == PATH
        and not scope["query_string"]
        and is_plain(scope["headers"])
        and not any(name == b"idempotency-key" for name, _ in scope["headers"])
    )


def spec_of(body: bytes) -> JobSpec | None:
    """The spec; None where there is something to say against it, which the route says."""
    try:
        document, flaws = json_text.read(body)
        return None if flaws else validated(JobSpec, document)
    except (json_text.Unreadable, RequestRefused):
        return None
