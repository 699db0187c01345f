"""The application: routes, errors and documentation around a yard that is handed in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI
from starlette.types import Scope

from service import docs, error_handlers
from service.access_log import AccessLog
from service.predictors import Predictors
from service.routes import (
    augmented,
    datasets,
    gradient_checks,
    health,
    jobs,
    parameters,
    predictions,
    progress,
    schemas,
)
from service.views import Index
from service.watching import Watchers
from worker.settings import Settings
from worker.yard import Yard


def create_app(yard: Yard, settings: Settings) -> FastAPI:
    """The service over this yard, which stays open when the application ends: who opened it closes it."""
    app = docs.DocumentedApi(
        title="trainyard",
        version=installed(),
        description=docs.DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect repeats the Host header, and hides a wrong path
        lifespan=lifespan,
        openapi_tags=docs.TAGS,
        telemetry={"exclude": is_probe},
    )
    app.state.yard = yard
    app.state.watchers = Watchers()
    app.state.predictors = Predictors()
    app.add_middleware(AccessLog)
    error_handlers.install(app)
    docs.install(app)

    @app.get("/", tags=["service"])
    async def index() -> Index:
        """Where things are."""
        return Index(version=app.version)

    app.include_router(datasets.router, max_body_size=settings.max_upload_bytes)
    app.include_router(parameters.router, max_body_size=settings.max_upload_bytes)
    for routes in (augmented, jobs, progress, gradient_checks, predictions, schemas, health):
        app.include_router(routes.router, max_body_size=settings.max_body_bytes)
    return app


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Waiters are let go at the end, if the server has not done so before."""
    yield
    app.state.watchers.close()


def is_probe(scope: Scope) -> bool:
    """Whether OpenTelemetry, where it is configured, should pass the request over."""
    return str(scope["path"]).startswith("/health/")


def installed() -> str:
    """The version of the distribution; a bare source tree has none."""
    try:
        return version("trainyard")
    except PackageNotFoundError:
        return "0"
