"""Requests that a page of another site has a browser send (cross-site request forgery).

Without asking first, any page can have forms, plain text and empty bodies sent to any address, this machine's own
included. A browser says who is behind a request in Sec-Fetch-Site, an older one in Origin; what is no browser sends
neither. GET, HEAD and OPTIONS change nothing here, and pages cannot read what they are answered.
"""

from collections.abc import Awaitable, Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from service.http.forwarded_headers import SENT_HOST
from service.http.headers import has_none
from service.http.problems import ProblemResponse

NAMES = frozenset({b"sec-fetch-site", b"origin"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
OWN = (b"same-origin", b"none")  # a page of this service, or the person at the browser


class OriginCheck:
    """ASGI middleware: 403 for what may change something and comes from a page whose origin is not allowed.

    That a preflight would have stopped most of it already is not relied on.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str]) -> None:
        self.app = app
        self.all_allowed = "*" in allowed
        self.allowed = frozenset(origin.encode() for origin in allowed)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http" and scope["method"] not in SAFE and not has_none(scope, NAMES):
            headers = dict(scope["headers"])
            site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
            hosts = (headers[b"host"], scope.get(SENT_HOST)) if b"host" in headers else ()
            if not (self.all_allowed or origin in self.allowed or is_own(site, origin, hosts)):
                return refusal(origin or b"another site", scope)(scope, receive, send)
        return self.app(scope, receive, send)


def is_own(site: bytes | None, origin: bytes | None, hosts: Collection[bytes | None]) -> bool:
    """Whether the page is of this service, which has these names; nobody can make a browser lie about it."""
    if site:
        return site in OWN
    return (origin or b"").partition(b"://")[2] in hosts


def refusal(origin: bytes, scope: Scope) -> ProblemResponse:
    """The answer, which comes before anything of the body is read."""
    name = origin.decode("latin-1")[:200]
    detail = (
        f"a page of {name} sent this {scope['method']}, and pages of other sites may not; TRAINSHED_CORS_ORIGINS names "
        "those that may"
    )
    return ProblemResponse.of(scope, 403, detail, code="cross_site_request", title="A page of another site sent it")
