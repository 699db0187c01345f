"""What a proxy says of the request that it passes on: X-Forwarded-For, -Proto, -Host and -Prefix.

They are heeded from trusted addresses alone, as anybody can send them. Loopback is trusted by default, since a proxy on
the same machine is what most have. That is no gift to pages in a browser on that machine: a page of another site cannot
send these headers without a preflight, and one that reached us under a name of its own is refused for that name,
whatever else it sends. Another program there gains nothing but a false address in the log.
"""

import re
from collections.abc import Awaitable, Sequence
from typing import cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from service.http.headers import has_none, header
from service.http.problems import ProblemResponse
from worker.addresses import root_path

SENT_HOST = "trainshed.sent_host"
"""Where the scope keeps the Host that came over the wire, if a proxy named another one."""

NAMES = frozenset({b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-prefix"})
HOST = re.compile(r"[A-Za-z0-9_.-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")


class ForwardedHeaders:
    """ASGI middleware: afterwards the scope is as if the client had come without the proxy.

    A request that came through a trusted proxy goes on to an application of its own, which knows root paths.
    """

    def __init__(self, app: ASGIApp, proxied: ASGIApp, trusted: Sequence[str]) -> None:
        self.app = app
        # For and Proto. What it passes on has all that is ours, but uvicorn has types of its own. Whom it trusts is
        # private ground of uvicorn, tried with 0.50 to 0.54.
        self.proxied = ProxyHeadersMiddleware(proxied, list(trusted))  # type: ignore[arg-type]

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http" or has_none(scope, NAMES) or not self._trusts(scope):
            return self.app(scope, receive, send)
        if (flaw := heed(scope)) is not None:
            return ProblemResponse.of(scope, 400, flaw)(scope, receive, send)
        return cast(ASGIApp, self.proxied)(scope, receive, send)

    def _trusts(self, scope: Scope) -> bool:
        client = scope["client"]
        return client is not None and client[0] in self.proxied.trusted_hosts


def heed(scope: Scope) -> str | None:
    """Take Host and Prefix over into the scope; returns what is wrong with them, if they cannot be meant."""
    if (forwarded := header(scope, b"x-forwarded-host")) is not None:
        host = forwarded.decode("latin-1").rpartition(",")[2].strip()  # the last one: the nearest proxy's
        if not HOST.fullmatch(host):
            return f"X-Forwarded-Host is {host[:80]!r}; it takes a host, and perhaps a port"
        scope[SENT_HOST] = header(scope, b"host")
        others = [entry for entry in scope["headers"] if entry[0] != b"host"]
        scope["headers"] = [(b"host", host.encode()), *others]
    if (forwarded := header(scope, b"x-forwarded-prefix")) is not None:
        parts = forwarded.decode("latin-1").split(",")  # every proxy appends what it has stripped
        try:
            scope["root_path"] = "".join(root_path(part) for part in parts)
        except ValueError as error:
            return f"X-Forwarded-Prefix: {error}"
    return None
