"""JSON bodies on their way to a model: read and validated strictly, refused with a pointer to every fault."""

from collections.abc import Callable, Coroutine, Iterator, Mapping
from functools import cache
from hashlib import sha256
from typing import Any, TypeVar

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError, WrapValidator
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.types import Receive

from engine import JobSpec
from service.http import strict_json
from service.http.idempotency import answered_once, takes_keys
from service.http.problems import Fault, RequestRefused, summary
from service.http.validation_messages import described, unknown

Model = TypeVar("Model", bound=BaseModel)

LARGE = 64 * 1024  # reading more than this takes long enough to be felt by other requests
MOST_FAULTS = 20
MOST_ERRORS = 100  # that are put into words: to find what was meant by a name takes a fraction of a millisecond


class StrictRequest(Request):
    """A request whose JSON is read by `json_text`."""

    async def json(self) -> object:
        """The document; raises `RequestRefused` where FastAPI would let NaN, twins or surrogates pass."""
        body = await self.body()
        try:
            if len(body) > LARGE:
                document, flaws = await run_in_threadpool(strict_json.read, body)
            else:
                document, flaws = strict_json.read(body)
        except strict_json.Unreadable as error:
            raise RequestRefused(400, "malformed_json", "The body is not JSON", str(error)) from error
        if flaws:
            raise invalid([Fault(pointer=flaw.pointer, part="body", detail=flaw.detail) for flaw in flaws])
        self.state.document = document  # for errors that point into it
        return document


class StrictRoute(APIRoute):
    """A route with strict bodies, no unknown query parameters, and ETags on what is polled."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        keyed = takes_keys(self.dependant)
        names = set(query_names(self.dependant))
        negotiated = "accept" in header_names(self.dependant)

        async def strictly(request: Request) -> Response:
            refuse_unknown(request, sorted(names))

            async def answer(receive: Receive) -> Response:
                return await handle(StrictRequest(request.scope, receive))

            response = await (answered_once(request, answer) if keyed else answer(request.receive))
            response = unless_unchanged(request, response)
            if negotiated:
                response.headers.add_vary_header("Accept")
            return response

        return strictly


def query_names(dependant: Dependant) -> Iterator[str]:
    """The query parameters of a route and of what it depends on."""
    for parameter in dependant.query_params:
        yield parameter.alias
    for each in dependant.dependencies:
        yield from query_names(each)


def header_names(dependant: Dependant) -> Iterator[str]:
    """The headers that a route and what it depends on ask for."""
    for parameter in dependant.header_params:
        yield parameter.alias
    for each in dependant.dependencies:
        yield from header_names(each)


def strict(model: type[BaseModel]) -> WrapValidator:
    """Marks a body parameter: the model takes JSON as JSON means it (`true` is no integer)."""

    def validate(document: object, _: object) -> BaseModel:
        return validated(model, document)

    return WrapValidator(validate)


def validated(model: type[Model], document: object) -> Model:
    """The document as the model has it; raises `RequestRefused` with a pointer to every fault."""
    refuse_unless_json(document)
    try:
        return model.model_validate_json(strict_json.write(document), strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False)
        looked_at = described(found[:MOST_ERRORS], schema_of(model), document, of_spec=issubclass(model, JobSpec))
        faults = [Fault(pointer=where, part="body", detail=detail) for where, detail in looked_at]
        raise invalid(faults, more=len(found[MOST_ERRORS:])) from error


def refuse_unless_json(document: object) -> None:
    """FastAPI hands a body of another media type on as bytes."""
    if isinstance(document, bytes):
        raise RequestRefused(
            415,
            "unsupported_media_type",
            "The body has the wrong media type",
            "the body must be JSON; send it with Content-Type: application/json (curl does with --json in place of -d)",
        )


def invalid(faults: list[Fault], more: int = 0) -> RequestRefused:
    """The refusal of a body that is JSON but not what was asked for, in these places and so many more."""
    detail = summary(faults, more)
    return RequestRefused(422, "invalid_request", "The request is not valid", detail, faults[:MOST_FAULTS])


def refuse_unknown(request: Request, allowed: list[str]) -> None:
    """A query parameter that the route does not have is a typing slip, and never silently ignored."""
    faults = [
        Fault(pointer=f"/{name}", part="query", detail=unknown("query parameter", name, allowed))
        for name in dict.fromkeys(request.query_params)
        if name not in allowed
    ]
    if faults:
        raise invalid(faults)


def unless_unchanged(request: Request, response: Response) -> Response:
    """304 without a body where the client already holds this very answer."""
    if request.method != "GET" or response.status_code != 200 or isinstance(response, StreamingResponse | FileResponse):
        return response
    fresh = {"ETag": tag_of(bytes(response.body)), "Cache-Control": "no-cache"}
    if is_held(request, fresh["ETag"]):
        return Response(status_code=304, headers=fresh)
    response.headers.update(fresh)
    return response


def is_held(request: Request, tag: str) -> bool:
    """Whether the client has the answer with this ETag already."""
    return is_among(tag, request.headers.get("if-none-match", ""))


def is_among(tag: str, held: str) -> bool:
    """Whether a list of tags, or `*`, has the tag; weak or strong is the same."""
    tags = [one.strip().removeprefix("W/") for one in held.split(",")]
    return tag.removeprefix("W/") in tags or "*" in tags


def tag_of(body: bytes) -> str:
    """The ETag of an answer with this body: a weak one, as it is the same for the answer as it is and compressed."""
    return f'W/"{sha256(body).hexdigest()[:32]}"'


@cache
def schema_of(model: type[BaseModel]) -> Mapping[str, object]:
    """The model's JSON schema, made once."""
    return model.model_json_schema(by_alias=True)
