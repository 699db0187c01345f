"""The names that requests may call this service by.

A page of another site can have its own name resolve to this machine (DNS rebinding). To the browser it is then a page
of this very service, and may read and change everything. The name gives it away, and no page chooses what is sent.
"""

import socket
from collections.abc import Awaitable, Sequence
from functools import lru_cache
from ipaddress import ip_address

from starlette.types import ASGIApp, Receive, Scope, Send

from service.http.forwarded_headers import SENT_HOST
from service.http.headers import header
from service.http.problems import ProblemResponse
from service.http.root_path import route_path
from worker.settings import Settings

LONGEST = 300  # letters of a name and a port


def allowed_names(settings: Settings) -> tuple[str, ...] | None:
    """The names beside localhost; None where any will do."""
    if settings.allowed_hosts or is_loopback(settings.host):
        return (settings.host.lower(), *settings.allowed_hosts)
    return None


def is_loopback(host: str) -> bool:
    """Whether nobody outside of this machine reaches a server that listens there."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:  # it will not listen there either
        return False
    return all(ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)


class HostCheck:
    """ASGI middleware: 421 for a request that names another host; `/health/` is answered under any name.

    The header that came over the wire counts, whatever a proxy adds. Where names are set, the name that a trusted proxy
    says it was called by has to be among them as well.
    """

    def __init__(self, app: ASGIApp, names: Sequence[str], *, proxies_too: bool) -> None:
        self.app = app
        self.proxies_too = proxies_too
        self._names = frozenset(name for name in names if not name.startswith("*"))
        self._ends = tuple(name[1:] for name in names if name.startswith("*"))
        self._allowed = lru_cache(256)(self.allowed)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http":
            host = header(scope, b"host") or b""
            if SENT_HOST in scope or not self._allowed(host[:LONGEST]):
                refused = self._refused(scope, host)
                if refused is not None and not route_path(scope).startswith("/health/"):
                    return refusal(refused, scope)(scope, receive, send)
        return self.app(scope, receive, send)

    def _refused(self, scope: Scope, host: bytes) -> bytes | None:
        sent = scope[SENT_HOST] or b"" if SENT_HOST in scope else host
        named = (sent, host) if self.proxies_too else (sent,)
        return next((one for one in named if not self._allowed(one[:LONGEST])), None)

    def allowed(self, host: bytes) -> bool:
        """Whether the value of a Host header names this service."""
        if len(host) == LONGEST:  # or longer, and cut
            return False
        name = name_of(host.decode("latin-1").lower())
        if name in self._names or name == "localhost" or name.endswith((".localhost", *self._ends)):
            return True
        try:
            return ip_address(name).is_loopback
        except ValueError:
            return False


def refusal(host: bytes, scope: Scope) -> ProblemResponse:
    """The answer, which comes before anything of the body is read."""
    name = name_of(host.decode("latin-1"))[:80]
    called = (
        f"does not go by the name {name!r} (the request's Host)" if name else "has to be named in the request's Host"
    )
    detail = f"this service {called}; it answers to localhost, and to the names in TRAINSHED_ALLOWED_HOSTS"
    return ProblemResponse.of(scope, 421, detail, code="unknown_host", title="The request names another host")


def name_of(host: str) -> str:
    """A Host header's name or address, without its port."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.removesuffix(".")
