"""HEAD: what GET would be answered, without the body."""

from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ASKED = "trainshed.asked_method"
"""Where the scope keeps HEAD while the routes see GET."""


def asked_method(scope: Scope) -> str:
    """The method as the client sent it."""
    return str(scope.get(ASKED) or scope["method"])


class HeadRequests:
    """ASGI middleware: the routes see GET.

    The answer ends with its headers. The server then reports the client gone to whoever still sends, which ends an
    event stream, and a file is read no further.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            return self._without_body(scope, receive, send)
        return self.app(scope, receive, send)

    async def _without_body(self, scope: Scope, receive: Receive, send: Send) -> None:

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        seen = {**scope, "method": "GET", ASKED: "HEAD"}  # the server goes by its own scope, which still says HEAD
        try:
            await self.app(seen, receive, answer)
        finally:
            scope["route"] = seen.get("route")  # for the log
