"""All that stands before the API, in the order in which a request passes it."""

from typing import Any

from starlette.types import ASGIApp

from service.http.access_log import AccessLog
from service.http.authentication import Authentication, Authenticator
from service.http.cors import CorsHeaders, Preflights
from service.http.forwarded_headers import ForwardedHeaders
from service.http.head import HeadRequests
from service.http.host_check import HostCheck, allowed_names
from service.http.origin_check import OriginCheck
from service.http.problems import documented
from service.http.request_decoding import RequestDecoding
from service.http.root_path import RootPath
from worker.settings import Settings


def add_refusals(document: dict[str, Any]) -> None:
    """Say in an OpenAPI document how the front may answer what it passes on to no route."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            statuses = [400] if path.startswith("/health/") else [400, 421]
            if method != "get":
                statuses += [403, 415]
            for status, problem in documented(*statuses).items():
                if status in statuses:
                    operation["responses"].setdefault(str(status), problem)


def behind_front(api: ASGIApp, settings: Settings, authenticator: Authenticator) -> ASGIApp:
    """The application with its front: from the last of these lines, the outermost, to the first.

    The log is of every request, refused ones too. What a proxy says comes before whatever goes by the client, the name
    or the path; whoever asks is known before anything reads a body, routes or answers by itself. The host that is asked
    is looked at before the origin that asks. HEAD stands outside of the coding, so that its headers are those of GET.
    """
    app: ASGIApp = RequestDecoding(api)
    app = HeadRequests(app)
    app = OriginCheck(app, settings.cors_origins)
    if settings.cors_origins:
        app = Preflights(app, settings.cors_origins)
    if (names := allowed_names(settings)) is not None:
        app = HostCheck(app, names, proxies_too=bool(settings.allowed_hosts))
    app = Authentication(app, authenticator)
    rooted = RootPath(app, settings.root_path)
    app = ForwardedHeaders(rooted if settings.root_path else app, rooted, settings.trusted_proxies)
    app = AccessLog(app)
    if settings.cors_origins:
        app = CorsHeaders(app, settings.cors_origins)
    return app
