"""One log event per request, and the few headers that every answer has.

It stands outside of the body limiter, whose own 413 is plain text, and gives that the shape of all errors.
"""

import time
from os import urandom

import structlog
from starlette.datastructures import Headers
from starlette.middleware.body_limit import MAX_BODY_SIZE_SCOPE_KEY
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.problems import ProblemResponse, too_large
from worker.logs import Quick

LOG = Quick()

NO_SNIFFING = (b"x-content-type-options", b"nosniff")


class AccessLog:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status, sent, replaced = time.perf_counter(), 500, 0, False
        request_id = urandom(16).hex()

        async def answer(message: Message) -> None:
            nonlocal status, sent, replaced
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message["headers"], (b"x-request-id", request_id.encode()), NO_SNIFFING]
                message = {**message, "headers": headers}
                if status == 413 and Headers(raw=headers).get("content-type", "").startswith("text/plain"):
                    replaced = True
                    detail = too_large(scope.get(MAX_BODY_SIZE_SCOPE_KEY))
                    await ProblemResponse.of(scope["path"], 413, detail, headers={"X-Request-ID": request_id})(
                        scope, receive, send
                    )
            elif not replaced:
                sent += len(message.get("body", b""))
            if not replaced:
                await send(message)

        structlog.contextvars.bind_contextvars(request_id=request_id)  # as long as the task of this request lives
        try:
            await self.app(scope, receive, answer)
        finally:
            route = scope.get("route")
            client = scope.get("client")
            # A probe asks every few seconds and says nothing new.
            if not (scope["path"].startswith("/health/") and status == 200):
                LOG.info(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    route=getattr(route, "path_format", None),
                    status=status,
                    seconds=round(time.perf_counter() - started, 6),
                    bytes_sent=sent,
                    client=client[0] if client else None,
                    request_id=request_id,
                )
