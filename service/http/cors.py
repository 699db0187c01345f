"""Cross-origin resource sharing: which pages of other origins a browser lets read the answers.

Starlette's middleware, in two parts: the headers that every answer has, a refusal of those further in as well, and the
answers to preflights, which only come once the request has passed what refuses it.
"""

from collections.abc import Awaitable, Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from service.http.problems import ProblemResponse

METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
REQUEST_HEADERS = (
    "Authorization",
    "Content-Encoding",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "If-Range",
    "Inference-Header-Content-Length",
    "Last-Event-ID",
    "Range",
)
ANSWER_HEADERS = (
    "Accept-Ranges",
    "Allow",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Range",
    "ETag",
    "Idempotent-Replay",
    "Inference-Header-Content-Length",
    "Location",
    "Retry-After",
    "Trainshed-Model",
    "X-Request-ID",
)


class CorsHeaders(CORSMiddleware):
    """ASGI middleware: an answer to a page whose origin is allowed says so."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(app, allow_origins=origins, expose_headers=ANSWER_HEADERS)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:  # type: ignore[override]
        if scope["type"] != "http":
            return self.app(scope, receive, send)
        return self.simple_response(scope, receive, send, request_headers=Headers(scope=scope))


class Preflights(CORSMiddleware):
    """ASGI middleware: a browser that asks what a page may send is told."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=REQUEST_HEADERS,
            allow_private_network=True,
        )

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:  # type: ignore[override]
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            headers = Headers(scope=scope)
            if "origin" in headers and "access-control-request-method" in headers:
                answer = self.preflight_response(headers)
                if answer.status_code != 200:
                    answer = ProblemResponse.of(scope, 403, bytes(answer.body).decode(), code="preflight_refused")
                return answer(scope, receive, send)
        return self.app(scope, receive, send)
