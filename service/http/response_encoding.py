"""Answers that go out compressed, to whoever says that it can read them.

Text is, from a thousand bytes on, and what itself says that it varies with Accept-Encoding. Streams of events are not,
as each should arrive when it happens, nor files, of which a range may be asked for.
"""

from collections.abc import Awaitable, Iterable

from fastapi.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.content_coding import Encoder, chosen
from service.http.headers import header

LEAST = 1024  # bytes that are worth it
LARGE = 64 * 1024  # bytes that take long enough to be felt by other requests
TEXTS = (b"application/json", b"application/problem+json", b"application/schema+json")
VARY = (b"vary", b"Accept-Encoding")


class ResponseEncoding:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self.app(scope, receive, send)
        return self.app(scope, receive, Compressing(scope, send).send)


class Compressing:
    """ASGI's `send` of one answer."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._start: Message | None = None  # kept until it is known how large the body is
        self._passing = False
        self._encoder: Encoder | None = None

    def send(self, message: Message) -> Awaitable[None]:
        """Pass on the next part of the answer."""
        if not self._passing and message["type"] == "http.response.start":
            self._passing = not varies(message["status"], message["headers"])
        return self._send(message) if self._passing else self._coded(message)

    async def _coded(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        elif self._start is None:
            await self._send(message if self._encoder is None else await self._compressed(self._encoder, message))
        else:
            start, self._start = self._start, None
            if message.get("more_body") or len(message.get("body", b"")) >= LEAST:
                start["headers"] = with_vary(start["headers"])
                coding = chosen(header(self._scope, b"accept-encoding") or b"")
                if coding is not None:
                    self._encoder = Encoder(coding)
                    message = await self._compressed(self._encoder, message)
                    length = None if message["more_body"] else len(message["body"])
                    start["headers"] = encoded(start["headers"], coding, length)
            await self._send(start)
            await self._send(message)

    async def _compressed(self, encoder: Encoder, message: Message) -> Message:
        body, more = message.get("body", b""), message.get("more_body", False)
        if len(body) < LARGE:
            packed = encoder.piece(body, last=not more)
        else:
            packed = await run_in_threadpool(encoder.piece, body, last=not more)
        return {**message, "body": packed, "more_body": more}


Headers = Iterable[tuple[bytes, bytes]]


def varies(status: int, headers: Headers) -> bool:
    """Whether an answer may go out compressed, as far as its headers tell."""
    kind = vary = b""
    for name, value in headers:
        if name == b"content-length":
            if int(value) < LEAST:
                return False
        elif name == b"content-type":
            kind = value
        elif name == b"vary":
            vary = value
        elif name in (b"content-encoding", b"accept-ranges"):
            return False
    if status in (204, 206, 304) or kind.startswith(b"text/event-stream"):
        return False
    return kind.startswith((b"text/", *TEXTS)) or b"Accept-Encoding" in vary


def with_vary(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers; a cache learns that the answer depends on what the client accepts."""
    kept = list(headers)
    return kept if any(name == b"vary" and b"Accept-Encoding" in value for name, value in kept) else [*kept, VARY]


def encoded(headers: Headers, coding: str, length: int | None) -> list[tuple[bytes, bytes]]:
    """The headers of the compressed answer; only a weak tag can stand for two sequences of bytes."""
    kept = [
        (name, b"W/" + value if name == b"etag" and not value.startswith(b"W/") else value)
        for name, value in headers
        if name != b"content-length"
    ]
    kept.append((b"content-encoding", coding.encode()))
    return kept if length is None else [*kept, (b"content-length", str(length).encode())]
