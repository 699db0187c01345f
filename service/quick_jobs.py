"""The short way for what is asked most often of jobs: to queue a valid spec, and to list the newest.

It stands in front of the framework, whose routing, validation and serialization take longer than the work itself.
Whatever it does not know by heart it leaves to the route, with the body unread again: both answer the same bytes.
"""

import re
from collections.abc import Awaitable

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from engine import EngineError, JobSpec
from service.http import strict_json
from service.http.csv_answers import prefers_csv
from service.http.error_handlers import on_package_error
from service.http.etags import unless_unchanged
from service.http.plain_requests import again, is_plain, whole_body
from service.http.problems import RequestRefused
from service.http.request_bodies import validated
from service.http.root_path import route_path
from service.intake import Intake
from service.job_texts import JobTexts
from service.views.jobs import JobView
from worker.errors import WorkerError
from worker.workspace import Workspace

PATH = "/v1/jobs"
JSON = "application/json"
LIMIT = re.compile(rb"(?:limit=([1-9][0-9]{0,3}))?")
DEFAULT_LIMIT = 20


class QuickRoute:
    """For the access log: the route that the request would have taken."""

    path_format = PATH


class QuickJobs:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, backend: Workspace, max_body_bytes: int) -> None:
        self.app = app
        self.backend = backend
        self.texts = JobTexts(backend)
        self.intake = Intake(backend, lambda job: JobView.of(job).model_dump_json().encode())
        self.max_body_bytes = max_body_bytes

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http" or route_path(scope) != PATH:
            return self.app(scope, receive, send)
        return self._asked(scope, receive, send)

    async def _asked(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (limit := limit_of(scope)) is not None:
            await self._answer(scope, receive, send, self._listed(Request(scope), limit))
            return
        if is_submission(scope):
            message = await receive()
            receive = again(message, receive)
            body = whole_body(message)
            spec = None if body is None or len(body) > self.max_body_bytes else spec_of(body)
            if spec is not None:
                await self._answer(scope, receive, send, self._submitted(spec), body)
                return
        await self.app(scope, receive, send)

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, answer: Awaitable[Response], body: bytes | None = None
    ) -> None:
        scope["route"] = QuickRoute
        try:
            response = await answer
        except (EngineError, WorkerError) as error:
            request = Request(scope)
            if body is not None:
                request.state.document, _ = strict_json.read(body)
            response = await on_package_error(request, error)
        await response(scope, receive, send)

    async def _submitted(self, spec: JobSpec) -> Response:
        job, content = await self.intake.job(spec)
        return Response(content, 201, {"location": f"{PATH}/{job.id}"}, JSON)

    async def _listed(self, request: Request, limit: int) -> Response:
        content = await run_in_threadpool(self.texts.listing, limit)
        response = unless_unchanged(request, Response(content, media_type=JSON))
        response.headers.add_vary_header("Accept")
        return response


def is_submission(scope: Scope) -> bool:
    """Whether a job is submitted, and nothing but that is asked for."""
    return (
        scope["method"] == "POST"
        and not scope["query_string"]
        and is_plain(scope["headers"])
        and not any(name == b"idempotency-key" for name, _ in scope["headers"])
    )


def limit_of(scope: Scope) -> int | None:
    """How many jobs are to be listed, where that is all that is asked for."""
    query = LIMIT.fullmatch(scope["query_string"])
    if scope["method"] != "GET" or query is None or prefers_csv(Headers(scope=scope).get("accept", "")):
        return None
    return int(query[1] or DEFAULT_LIMIT)


def spec_of(body: bytes) -> JobSpec | None:
    """The spec; None where there is something to say against it, which the route says."""
    try:
        document, flaws = strict_json.read(body)
        return None if flaws else validated(JobSpec, document)
    except (strict_json.Unreadable, RequestRefused):
        return None
