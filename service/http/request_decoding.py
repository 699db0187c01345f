"""Bodies that come compressed: expanded before anything else sees them, on every route.

What a body becomes is counted by the limit of the route that reads it, and comes in pieces: nobody ever holds more than
that limit of it. An uncompressed body passes by untouched.
"""

from asyncio import sleep
from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.content_coding import KNOWN, Damaged, Decoder, coding_of
from service.http.headers import has_none, header
from service.http.problems import ProblemResponse, RequestRefused

NAMES = frozenset({b"content-encoding"})


class RequestDecoding:
    """ASGI middleware: 415 for a coding that is not known, 400 for a body that is damaged."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http" and scope["method"] != "GET" and not has_none(scope, NAMES):
            sent = header(scope, b"content-encoding") or b""
            coding = coding_of(sent.decode("latin-1"))
            if coding is None:
                return refusal(sent, scope)(scope, receive, send)
            # The length is that of what was sent.
            hidden = (b"content-encoding",) if coding == "identity" else (b"content-encoding", b"content-length")
            scope["headers"] = [entry for entry in scope["headers"] if entry[0] not in hidden]
            if coding != "identity":
                receive = Expanded(receive, coding)
        return self.app(scope, receive, send)


class Expanded:
    """ASGI's `receive` of a body as it was before compression."""

    def __init__(self, receive: Receive, coding: str) -> None:
        self._receive = receive
        self._decoder = Decoder(coding)
        self._more = True
        self._ended = False

    async def __call__(self) -> Message:
        """The next piece; raises RequestRefused."""
        while not self._ended:
            if not self._decoder.hungry:
                await sleep(0)  # a few bytes can become many pieces: others have a turn in between
            elif self._more:
                message = await self._receive()
                if message["type"] != "http.request":
                    return message
                self._decoder.feed(message.get("body", b""))
                self._more = message.get("more_body", False)
            try:
                if piece := self._decoder.piece():
                    return {"type": "http.request", "body": piece, "more_body": True}
                if self._decoder.hungry and not self._more:
                    self._decoder.finish()
                    self._ended = True
                    return {"type": "http.request", "body": b"", "more_body": False}
            except Damaged as error:
                detail = f"the body is no {self._decoder.coding}: {error}"
                raise RequestRefused(400, "malformed_body", "The compressed body is damaged", detail) from error
        return await self._receive()


def refusal(coding: bytes, scope: Scope) -> ProblemResponse:
    """The answer, which comes before anything of the body is read."""
    return ProblemResponse.of(
        scope,
        415,
        f"Content-Encoding {coding.decode('latin-1')[:40]!r} is not read; send {', '.join(KNOWN)} or identity",
        code="unsupported_content_encoding",
        title="The body is compressed in an unknown way",
        headers={"Accept-Encoding": ", ".join(KNOWN)},
    )
