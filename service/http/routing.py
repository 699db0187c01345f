"""Routes that are strict without anybody having to remember it: every file of routes begins with a `StrictRouter`."""

from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import Receive

from engine.json_pointer import pointer
from service.http.etags import unless_unchanged
from service.http.idempotency import answered_once, takes_keys
from service.http.openapi import operation_id
from service.http.problems import Fault, invalid
from service.http.request_bodies import StrictJson, read_json
from service.http.validation_messages import unknown

LARGE = 64 * 1024  # reading more than this takes long enough to be felt by other requests


class StrictRequest(Request):
    """A request whose JSON is read by `strict_json`."""

    async def json(self) -> object:
        """The document; raises `RequestRefused` where FastAPI would let NaN, twins or surrogates pass."""
        body = await self.body()
        document = await run_in_threadpool(read_json, body) if len(body) > LARGE else read_json(body)
        self.state.document = document  # for errors that point into it
        return document


class StrictRoute(APIRoute):
    """A route with strict bodies, no unknown query parameters, and ETags on what is polled."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for body in (body for each in dependants(self.dependant) for body in each.body_params):
            if not any(isinstance(mark, StrictJson) for mark in body.field_info.metadata):
                raise TypeError(f"{self.name} takes its body {body.name!r} as it comes; annotate it with Strict")

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        keyed = takes_keys(self.dependant)
        names = query_names(self.dependant)
        negotiated = any(
            header.alias == "accept" for each in dependants(self.dependant) for header in each.header_params
        )

        async def strictly(request: Request) -> Response:
            refuse_unknown(request.query_params, names)

            async def answer(receive: Receive) -> Response:
                return await handle(StrictRequest(request.scope, receive))

            response = await (answered_once(request, answer) if keyed else answer(request.receive))
            response = unless_unchanged(request, response)
            if negotiated:
                response.headers.add_vary_header("Accept")
            return response

        return strictly


class StrictRouter(APIRouter):
    """The routes of one noun; all of them strict."""

    def __init__(self, prefix: str, tag: str, route_class: type[StrictRoute] = StrictRoute) -> None:
        super().__init__(prefix=prefix, tags=[tag], route_class=route_class, generate_unique_id_function=operation_id)


def dependants(dependant: Dependant) -> Iterator[Dependant]:
    """A route's own parameters, and those of what it depends on."""
    yield dependant
    for each in dependant.dependencies:
        yield from dependants(each)


def query_names(dependant: Dependant) -> list[str]:
    """The query parameters of a route and of what it depends on."""
    return sorted({parameter.alias for each in dependants(dependant) for parameter in each.query_params})


def refuse_unknown(given: Iterable[str], allowed: list[str]) -> None:
    """A query parameter that the route does not have is a typing slip, and never silently ignored."""
    faults = [
        Fault(pointer=pointer([name]), part="query", detail=unknown("query parameter", name, allowed))
        for name in dict.fromkeys(given)
        if name not in allowed
    ]
    if faults:
        raise invalid(faults)
