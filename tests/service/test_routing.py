"""No route can be added that is less strict than the others, and no file of routes is forgotten."""

import pkgutil

import httpx
import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel

import service.routes
from service.app import create_app
from service.http.request_bodies import Strict
from service.http.routing import StrictRoute, StrictRouter
from worker.backend import Backend
from worker.settings import Settings

LENIENT = {"/", "/docs", "/health/live", "/health/ready"}
"""Whoever probes or looks for the service may do so in any way."""


class Wish(BaseModel):
    """What a body may be."""


def test_every_route_is_strict(opened: Backend, settings: Settings) -> None:
    routes = [context.route for context in iter_route_contexts(create_app(opened, settings).routes)]
    found = [route for route in routes if isinstance(route, APIRoute)]
    assert len(found) > 60
    assert {route.path for route in found if not isinstance(route, StrictRoute)} == LENIENT


def test_a_body_that_is_not_strict_is_refused_where_it_is_written() -> None:
    router = StrictRouter("/wishes", "wishes")

    @router.post("/strict")
    def take(wish: Strict[Wish]) -> None: ...

    with pytest.raises(TypeError, match="make_wish takes its body 'wish' as it comes"):

        @router.post("")
        def make_wish(wish: Wish) -> None: ...


def test_every_file_of_routes_is_served(settings: Settings) -> None:
    listed = [router for router, _ in service.routes.routers(settings)]
    files = {module.name for module in pkgutil.iter_modules(service.routes.__path__)}
    assert {name for name in files if getattr(service.routes, name).router in listed} == files
    assert len(listed) == len(files)


def test_a_pointer_to_a_query_parameter_is_escaped(client: httpx.Client) -> None:
    (fault,) = client.get("/v1/jobs", params={"a/b~c": "1"}).json()["errors"]
    assert (fault["pointer"], fault["in"]) == ("/a~1b~0c", "query")
