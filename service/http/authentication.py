"""Authentication: whoever asks is known before a request is routed, read or answered by anything that belongs to them.

What decides it is handed to the application; keys will be another `Authenticator`, and nothing else has to change.
"""

from typing import Protocol

import structlog
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from service.http.headers import header
from service.http.problems import ProblemResponse, RequestRefused
from service.http.root_path import route_path
from worker.domain.principals import LOCAL, Principal

PRINCIPAL = "trainshed.principal"
"""Where the scope keeps whoever asks."""

OPEN = ("/health/", "/v2/health/")
"""Paths that probes ask, which have nothing to show: what they are told belongs to nobody."""


class Authenticator(Protocol):
    """Says who asks."""

    async def principal_of(self, scope: Scope) -> Principal:
        """The principal of a request, by its head; raises RequestRefused where it may not ask."""


class LocalAuthenticator:
    """Whoever reaches the service is the local principal."""

    async def principal_of(self, scope: Scope) -> Principal:
        """The one that there is."""
        return LOCAL


class Authentication:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, authenticator: Authenticator) -> None:
        self.app = app
        self.authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not is_open(scope):
            try:
                principal = await self.authenticator.principal_of(scope)
            except RequestRefused as refused:
                await ProblemResponse.of_refusal(scope, refused)(scope, receive, send)
                return
            scope[PRINCIPAL] = principal
            structlog.contextvars.bind_contextvars(principal=principal.name)
        await self.app(scope, receive, send)


def is_open(scope: Scope) -> bool:
    """Whether nobody has to say who asks: of a probe, and of a preflight, with which no browser sends credentials."""
    preflight = scope["method"] == "OPTIONS" and header(scope, b"access-control-request-method") is not None
    return preflight or route_path(scope).startswith(OPEN)


def principal_of(connection: HTTPConnection) -> Principal:
    """Whoever asks."""
    principal: Principal = connection.scope[PRINCIPAL]
    return principal


def who(connection: HTTPConnection) -> str:
    """Whoever asks as people are told: by name, or by address where nobody has to say a name."""
    principal = principal_of(connection)
    return connection.client.host if principal == LOCAL and connection.client else principal.name
