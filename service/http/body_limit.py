"""Bodies beyond a route's limit, which the framework refuses in plain text: in the shape of all other problems.

Where the scope has the limit is private ground of starlette, tried with 1.10.
"""

from collections.abc import Awaitable

from starlette.datastructures import Headers
from starlette.middleware.body_limit import MAX_BODY_SIZE_SCOPE_KEY
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.problems import ProblemResponse, too_large


class BodyLimitProblems:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        replaced = False

        def answer(message: Message) -> Awaitable[None]:
            nonlocal replaced
            if message["type"] == "http.response.start" and message["status"] == 413:
                replaced = Headers(raw=message["headers"]).get("content-type", "").startswith("text/plain")
                if replaced:
                    detail = too_large(scope.get(MAX_BODY_SIZE_SCOPE_KEY))
                    return ProblemResponse.of(scope, 413, detail)(scope, receive, send)
            return nothing() if replaced else send(message)

        return self.app(scope, receive, answer)


async def nothing() -> None:
    """What is sent in place of the rest."""
