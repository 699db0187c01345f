"""The path under which a proxy shows the API, whether the proxy strips it from what it passes on or not.

Behind this middleware ASGI's rule holds: `scope["path"]` begins with `scope["root_path"]`.
"""

from collections.abc import Awaitable, Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send


def route_path(scope: Mapping[str, Any]) -> str:
    """The path as the routes have it, without the root path."""
    path: str = scope["path"]
    root = scope["root_path"]
    return path[len(root) :] if root else path


class RootPath:
    """ASGI middleware; what a trusted proxy said of this request stands in the scope, and comes first."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self.app = app
        self.root_path = root_path

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        root = scope["type"] == "http" and (scope["root_path"] or self.root_path)
        if not root:
            return self.app(scope, receive, send)
        path = scope["path"]
        scope["root_path"] = root
        scope["path"] = path if path.startswith(root + "/") else root + "/" if path == root else root + path

        def answer(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    (name, root.encode() + value if name.lower() == b"location" and value[:1] == b"/" else value)
                    for name, value in message["headers"]
                ]
            return send(message)

        return self.app(scope, receive, answer)
