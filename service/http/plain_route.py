"""Plain routes: for what is asked so often that the framework's reading of parameters takes longer than the answer.

A plain route is routed and documented like every other. Its endpoint is called with the request, the segments of the
path as they are, and one frozen model of the query; it reads the body itself.
"""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, TypeVar, get_type_hints
from urllib.parse import parse_qsl

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.http.headers import header
from service.http.problems import RequestRefused, too_large
from service.http.routing import StrictRoute, refuse_unknown

QueryModel = TypeVar("QueryModel", bound=BaseModel)


class PlainRoute(StrictRoute):
    """A route of an endpoint `(request, *, segment: str, …, query: Model) -> Response`; no other parameters."""

    endpoint: Callable[..., Awaitable[Response]]

    def __init__(self, path: str, endpoint: Callable[..., Any], **declared: Any) -> None:
        super().__init__(path, endpoint, **declared)
        self._query: type[BaseModel] = get_type_hints(endpoint)["query"]

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in (self.methods or ()):
            raise HTTPException(405)
        request = Request(scope, receive)
        query = read_query(self._query, scope["query_string"])
        response = await self.endpoint(request, query=query, **scope["path_params"])
        await response(scope, receive, send)


@lru_cache(maxsize=1000)  # most clients ask the same all the time
def read_query(model: type[QueryModel], query: bytes) -> QueryModel:
    """The query as the model has it; raises as other routes do for parameters that are unknown or not valid."""
    given = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    refuse_unknown(given, sorted(model.model_fields))
    try:
        return model.model_validate(given)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        raise RequestValidationError([{**fault, "loc": ("query", *fault["loc"])} for fault in faults]) from error


async def read_body(request: Request, most: int) -> bytes:
    """The body; refused (413) as soon as it is known to have more bytes. Raises ClientDisconnect."""
    announced = header(request.scope, b"content-length") or b""
    if announced.isdigit() and int(announced) > most:
        raise body_too_large(most)
    pieces: list[bytes] = []
    size = 0
    while (message := await request.receive())["type"] == "http.request":
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > most:
            raise body_too_large(most)
        if not message.get("more_body"):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
    raise ClientDisconnect


def body_too_large(most: int) -> RequestRefused:
    """The refusal of a body of more bytes."""
    return RequestRefused(413, "content_too_large", "Content Too Large", too_large(most))
