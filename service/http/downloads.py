"""Files on their way out: whole, or the part that `Range` asks for (RFC 9110), or 304 for who has them already."""

from collections.abc import Callable, Iterable
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.types import Message, Receive, Scope, Send

from service.http.etags import is_held
from service.http.openapi import BINARY
from service.http.problems import ProblemResponse, documented

REFUSED = (400, 416)
"""What the framework answers to a range, in plain text."""

RANGE: dict[str, Any] = {
    "name": "Range",
    "in": "header",
    "required": False,
    "description": "a part of the file: `bytes=0-1023`, `bytes=1024-`, `bytes=-1024`",
    "schema": {"type": "string", "maxLength": 1024},
}


class Download(FileResponse):
    """A file with this hash, made by a model; `done` is called when it is sent, or will not be."""

    def __init__(
        self,
        path: str,
        *,
        sha256: str,
        media_type: str,
        filename: str,
        model: str,
        done: Callable[[], object] | None = None,
    ) -> None:
        headers = {"ETag": f'"{sha256}"', "Cache-Control": "no-cache", "Trainshed-Model": model}
        super().__init__(path, media_type=media_type, filename=filename, headers=headers)
        self._done = done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if is_held(Request(scope), self.headers["etag"]):
                kept = {name: self.headers[name] for name in ("etag", "cache-control")}
                await Response(status_code=304, headers=kept)(scope, receive, send)
                return
            await super().__call__(understood(scope), receive, in_our_words(scope, receive, send))
        finally:
            if self._done is not None:
                self._done()


def understood(scope: Scope) -> Scope:
    """The request without a Range in another unit than bytes, which is to be ignored."""
    unit = Headers(scope=scope).get("range", "bytes=").partition("=")[0]
    if unit.strip().lower() == "bytes":
        return scope
    return {**scope, "headers": [(name, value) for name, value in scope["headers"] if name != b"range"]}


def in_our_words(scope: Scope, receive: Receive, send: Send) -> Send:
    """A `send` that says as a problem what the framework says of a range in plain text."""
    refusal: Message | None = None

    async def sending(message: Message) -> None:
        nonlocal refusal
        if message["type"] == "http.response.start" and message["status"] in REFUSED:
            refusal = message
        elif refusal is None:
            await send(message)
        else:
            await problem(scope, refusal)(scope, receive, send)

    return sending


def problem(scope: Scope, refusal: Message) -> ProblemResponse:
    """What is wrong with the range of a request."""
    asked = Headers(scope=scope)["range"][:100]
    if refusal["status"] == 400:
        examples = "bytes=0-1023, bytes=1024- or bytes=-1024"
        detail = f"the Range {asked!a} cannot be read; ask for {examples}, or for the whole file without it"
        return ProblemResponse.of(scope, 400, detail, code="malformed_range", title="The Range cannot be read")
    size = Headers(raw=refusal["headers"])["content-range"]
    detail = f"the Range {asked!a} lies outside the file, which has {size.rpartition('/')[2]} bytes"
    return ProblemResponse.of(
        scope,
        416,
        detail,
        code="range_not_satisfiable",
        title="The Range lies outside the file",
        headers={"Content-Range": size},
    )


def described(media_types: Iterable[str], *statuses: int) -> dict[str, Any]:
    """The `responses`, `response_class` and `openapi_extra` of a route that sends a file, and its problems."""
    content = {kind: {"schema": BINARY} for kind in media_types}
    part = {"Content-Range": {"description": "which part: `bytes 0-1023/4096`", "schema": {"type": "string"}}}
    return {
        "response_class": FileResponse,
        "responses": {
            200: {"description": "The file", "content": content},
            206: {
                "description": "The part that `Range` asks for; of several, as multipart/byteranges",
                "headers": part,
                "content": {**content, "multipart/byteranges": {"schema": BINARY}},
            },
            **documented(400, 416, *statuses),
        },
        "openapi_extra": {"parameters": [RANGE]},
    }
