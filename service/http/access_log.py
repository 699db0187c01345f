"""One log event per request, and the few headers that every answer has."""

import time
from collections.abc import Awaitable
from itertools import count
from os import urandom

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.authentication import PRINCIPAL
from service.http.root_path import route_path
from worker.process.logs import Quick

LOG = Quick()

PROCESS, NUMBERS = urandom(8).hex(), count(1)  # a random number for every request takes longer than the rest of this

HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    # Pages of other sites can neither embed an answer, as a picture or a script, nor show it in a frame of theirs.
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
]


class AccessLog:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status, sent = time.perf_counter(), 500, 0
        request_id = f"{PROCESS}{next(NUMBERS):016x}"

        def answer(message: Message) -> Awaitable[None]:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode()), *HEADERS]
            else:
                sent += len(message.get("body", b""))
            return send(message)

        structlog.contextvars.bind_contextvars(request_id=request_id)  # as long as the task of this request lives
        try:
            await self.app(scope, receive, answer)
        finally:
            route = scope.get("route")
            client, principal = scope.get("client"), scope.get(PRINCIPAL)
            # A probe asks every few seconds and says nothing new.
            if status != 200 or not route_path(scope).startswith("/health/"):
                LOG.info(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    route=getattr(route, "path_format", None),
                    status=status,
                    seconds=round(time.perf_counter() - started, 6),
                    bytes_sent=sent,
                    client=client[0] if client else None,
                    principal=principal.name if principal else None,
                    request_id=request_id,
                )
