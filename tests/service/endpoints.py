"""Every endpoint: the methods and paths of all routes, and what is answered in front of them."""

import importlib
import pkgutil
import re
from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.routing import APIRoute

from service import routes

BESIDE = ("/", "/docs", "/openapi.json", "/docs/assets/swagger-ui.css", "/nothing/here")
"""What is at no router: the application's own pages and files, and what is not there."""


@dataclass(frozen=True)
class Endpoint:
    """A method and a path that a route matches; the ids in it are of nothing that is there."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def routers() -> list[APIRouter]:
    """The router of every file in `service/routes`."""
    names = [module.name for module in pkgutil.iter_modules(routes.__path__)]
    return [importlib.import_module(f"{routes.__name__}.{name}").router for name in names]


def filled(path: str) -> str:
    """A path whose ids and names are there."""
    counted = path.replace("{number}", "1").replace("{version}", "1")
    return re.sub(r"{\w+}", "job_00000000000000000000000000000000", counted)


TEMPLATES = sorted(
    (method, route.path)
    for router in routers()
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods
)
ENDPOINTS = [Endpoint(method, filled(path)) for method, path in TEMPLATES] + [Endpoint("GET", path) for path in BESIDE]
READING = [endpoint for endpoint in ENDPOINTS if endpoint.method == "GET"]
CHANGING = [endpoint for endpoint in ENDPOINTS if endpoint.method != "GET"]
OTHER_METHODS = [
    Endpoint(method, path)
    for path in sorted({one.path for one in ENDPOINTS})
    for method in ("HEAD", "OPTIONS", "QUERY")
]
