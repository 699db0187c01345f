"""Plain routes: for what is asked so often that the framework's layers and parameters take longer than the answer.

A plain route is documented and strict like every other, and the only way for its request. It is looked for before the
framework's layers. Its endpoint declares the request, the segments of the path, one model of the query and, if it
wants, one of a JSON body and the idempotency key; these few are read here. What a route depends on is private ground of
fastapi, tried with 0.165.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Any, TypeVar, get_type_hints
from urllib.parse import parse_qsl

from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, ExceptionHandler, Receive, Scope, Send

from service.http.etags import unless_unchanged
from service.http.headers import header
from service.http.idempotency import answered_once, keyed_request_of, takes_keys
from service.http.media_types import essence
from service.http.problems import RequestRefused, too_large
from service.http.request_bodies import read_json, validated
from service.http.root_path import route_path
from service.http.routing import LARGE, StrictRoute, dependants, refuse_unknown
from worker.settings import Settings

KEY = b"idempotency-key"


class QueryModel(BaseModel):
    """The query of a plain route."""

    model_config = ConfigDict(frozen=True)


Query = TypeVar("Query", bound=QueryModel)


class PlainRoute(StrictRoute):
    """A route of `async def endpoint(request, segment…, query: Model [, spec: Strict[Body]] [, keyed: KeyedDep])`."""

    endpoint: Callable[..., Awaitable[Response]]

    def __init__(self, path: str, endpoint: Callable[..., Any], **declared: Any) -> None:
        super().__init__(path, endpoint, **declared)
        self._query: type[QueryModel] = get_type_hints(endpoint)["query"]
        self._body = next(iter(self.dependant.body_params), None)
        keys = (one for each in dependants(self.dependant) for one in each.header_params)
        self._key = next(keys) if takes_keys(self.dependant) else None

    def finds(self, scope: Scope, path: str) -> bool:
        """Whether the request is this route's; then the scope knows."""
        found = self.path_regex.match(path)
        if found is None or scope["method"] not in self.methods:  # type: ignore[operator]  # there always are some
            return False
        scope["path_params"] = found.groupdict()
        scope["route"] = self
        return True

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """For the framework, which finds this route where only its path is the request's."""
        if scope["method"] not in self.methods:  # type: ignore[operator]
            raise HTTPException(405)
        await (await self.respond(scope, receive))(scope, receive, send)

    async def respond(self, scope: Scope, receive: Receive) -> Response:
        """The answer to a request of this route's."""
        query = read_query(self._query, scope["query_string"])
        if self._key is not None and header(scope, KEY) is not None:
            return await answered_once(Request(scope, receive), partial(self._call, scope, query))
        return await self._call(scope, query, receive)

    async def _call(self, scope: Scope, query: QueryModel, receive: Receive) -> Response:
        request = Request(scope, receive)
        declared: dict[str, object] = {**scope["path_params"], "query": query}
        if self._body is not None:
            model: type[BaseModel] = self._body.field_info.annotation  # type: ignore[assignment]
            declared[self._body.name] = validated(model, await read_document(request))
        if self._key is not None:
            declared["keyed"] = keyed_request_of(request, self._read_key(request))
        response = await self.endpoint(request, **declared)
        return unless_unchanged(request, response) if scope["method"] == "GET" else response

    def _read_key(self, request: Request) -> str | None:
        """The idempotency key; raises as other routes do for one that is not valid."""
        if self._key is None or (sent := request.headers.get(self._key.alias)) is None:
            return None
        key, faults = self._key.validate(sent, {}, loc=("header", self._key.alias))
        if faults:
            raise RequestValidationError(faults)
        return str(key)


class PlainRoutes:
    """ASGI application: plain routes, and another application for all else."""

    def __init__(self, routes: Iterable[BaseRoute], app: ASGIApp, handlers: Mapping[Any, ExceptionHandler]) -> None:
        self._routes = [route for route in routes if isinstance(route, PlainRoute)]
        self._app = app
        self._handlers = {kind: handler for kind, handler in handlers.items() if kind is not Exception}

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http":
            path = route_path(scope)
            for route in self._routes:
                if route.finds(scope, path):
                    return self._answer(route, scope, receive, send)
        return self._app(scope, receive, send)

    async def _answer(self, route: PlainRoute, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await route.respond(scope, receive)
        except Exception as error:  # of which those that nobody handles are raised again
            handle = next((self._handlers[kind] for kind in type(error).__mro__ if kind in self._handlers), None)
            if handle is None:
                raise
            response = await handle(Request(scope, receive), error)  # type: ignore[misc,arg-type]  # ours are async
        await response(scope, receive, send)


class Content(Response):
    """An answer of known bytes and ready headers."""

    def __init__(self, body: bytes, *headers: tuple[bytes, bytes]) -> None:
        self.status_code = 200
        self.background = None
        self.body = body
        self.raw_headers = [*headers, (b"content-length", str(len(body)).encode())]


@lru_cache(maxsize=1000)  # most clients ask the same all the time
def read_query(model: type[Query], query: bytes) -> Query:
    """The query as the model has it; raises as other routes do for parameters that are unknown or not valid."""
    given = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    refuse_unknown(given, sorted(model.model_fields))
    try:
        return model.model_validate(given)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        raise RequestValidationError([{**fault, "loc": ("query", *fault["loc"])} for fault in faults]) from error


async def read_document(request: Request) -> object:
    """The JSON document of a body; raises as other routes do where there is none, or none that is sent as JSON."""
    settings: Settings = request.app.state.settings
    return await document_of(request, await read_body(request, settings.max_body_bytes))


async def document_of(request: Request, body: bytes) -> object:
    """The same of a body that was read."""
    kind, _, subtype = essence(request.headers.get("content-type", "")).partition("/")
    if body and not (kind == "application" and (subtype == "json" or subtype.endswith("+json"))):
        return body
    document = await run_in_threadpool(read_json, body) if len(body) > LARGE else read_json(body) if body else None
    if document is None:
        raise RequestValidationError([{"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}])
    request.state.document = document  # for errors that point into it
    return document


async def read_body(request: Request, most: int) -> bytes:
    """The body; refused (413) as soon as it is known to have more bytes. Raises ClientDisconnect."""
    announced = header(request.scope, b"content-length")
    if announced is not None and announced.isdigit() and int(announced) > most:
        raise body_too_large(most)
    body = bytearray()
    while (message := await request.receive())["type"] == "http.request":
        piece: bytes = message.get("body", b"")
        if len(body) + len(piece) > most:
            raise body_too_large(most)
        if not message.get("more_body"):
            return bytes(body + piece) if body else piece  # as a whole, as most come
        body += piece
    raise ClientDisconnect


def body_too_large(most: int, title: str = HTTPStatus.REQUEST_ENTITY_TOO_LARGE.phrase) -> RequestRefused:
    """The refusal of a body of more bytes."""
    return RequestRefused(413, "content_too_large", title, too_large(most))
