"""The application: routes, errors and documentation around a backend that is handed in."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from os import environ

from fastapi import FastAPI, Request
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import Scope

from service.http import docs, error_handlers, openapi
from service.http.authentication import Authenticator, LocalAuthenticator
from service.http.body_limit import BodyLimitProblems
from service.http.front import behind_front
from service.http.long_polls import Watchers
from service.http.plain_route import PlainRoute, PlainRoutes
from service.http.response_encoding import ResponseEncoding
from service.predictions.dynamic_batching import DynamicBatcher
from service.predictions.feature_samples import FeatureSamples
from service.predictions.model_cache import Predictors
from service.predictions.pipeline import PredictionPipeline
from service.predictions.resolution import Resolver
from service.routes import routers
from service.views.health import ServiceIndex
from service.views.job_lists import JobLists
from worker.backend import Backend
from worker.settings import Settings


def create_app(backend: Backend, settings: Settings, authenticator: Authenticator | None = None) -> FastAPI:
    """The service over this backend, which stays open when the application ends: who opened it closes it.

    The authenticator says who asks; by default everybody is the local principal.
    """
    observed = is_observed()
    app = docs.DocumentedApi(
        title="trainshed",
        version=installed(),
        description=docs.DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect repeats the Host header, and hides a wrong path
        lifespan=lifespan,
        license_info={"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        openapi_tags=docs.TAGS,
        generate_unique_id_function=openapi.operation_id,
        telemetry={"exclude": is_probe, "tracing": observed, "metrics": observed, "logs": observed},
    )
    app.state.backend = backend
    app.state.watchers = Watchers()
    app.state.settings = settings
    app.state.resolver = Resolver(Predictors(settings.max_predictor_bytes))
    app.state.samples = FeatureSamples()
    app.state.batcher = DynamicBatcher()
    app.state.pipeline = PredictionPipeline(
        app.state.resolver, app.state.batcher, app.state.samples, settings.max_predict_bytes
    )
    app.state.job_lists = JobLists()
    app.add_middleware(BodyLimitProblems)
    error_handlers.install(app)
    for router, max_body_bytes in routers(settings):
        if router.route_class is PlainRoute:  # in no router of their own, which would match every request twice
            app.router.routes.extend(router.routes)
        else:
            app.include_router(router, max_body_size=max_body_bytes)
    docs.install(app)

    @app.get("/", tags=["service"])
    async def get_index(request: Request) -> ServiceIndex:
        """Where things are."""
        return ServiceIndex.at(request.scope["root_path"], app.version)

    routed = PlainRoutes(app.router.routes, app.build_middleware_stack(), app.exception_handlers)
    app.middleware_stack = behind_front(
        ServerErrorMiddleware(ResponseEncoding(routed), error_handlers.on_crash),
        settings,
        authenticator or LocalAuthenticator(),
    )
    return app


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Waiters are let go at the end, if the server has not done so before."""
    yield
    app.state.watchers.close()
    app.state.samples.close()


def is_observed() -> bool:
    """Whether OpenTelemetry is configured, by its variables or by what started this process and loaded its SDK.

    Asked once: asking at every request, as the framework would, takes a twentieth of a prediction.
    """
    return "opentelemetry.sdk" in sys.modules or any(name.startswith("OTEL_") for name in environ)


def is_probe(scope: Scope) -> bool:
    """Whether OpenTelemetry, where it is configured, should pass the request over."""
    return str(scope["path"]).endswith(("/health/live", "/health/ready"))


def installed() -> str:
    """The version of the distribution; a bare source tree has none."""
    try:
        return version("trainshed")
    except PackageNotFoundError:
        return "0"
