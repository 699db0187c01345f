"""Requests that may be sent again: with an Idempotency-Key, what is asked for twice is created once.

A route takes part by depending on `Idempotent`. Its answer is kept for a day and given again, with the header
`Idempotent-Replay: true`, to whoever sends the same request with the same key.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.dependencies.models import Dependant
from starlette.responses import Response
from starlette.types import Message, Receive

from service.http.forms import hash_of
from service.http.root_path import route_path
from service.http.workspace import backend_of
from worker.domain.idempotency import KeyedRequest, KeyLease, StoredResponse
from worker.errors import KeyReused, StoreError

HEADER = "Idempotency-Key"
REPLAY = "Idempotent-Replay"
KEPT_HEADERS = ("content-type", "location", "etag")


class HashedBody:
    """A request's body on its way in, hashed as it goes by, after the query."""

    def __init__(self, request: Request, key_lease: KeyLease | None = None) -> None:
        self.key_lease = key_lease
        self._receive = request.receive
        self._hash = hash_of(request.headers.get("content-type", ""), request.url.query.encode() + b"\n")

    async def __call__(self) -> Message:
        """The next piece."""
        message = await self._receive()
        self._hash.update(message.get("body", b""))
        return message

    @property
    def sha256(self) -> str:
        """Of what has come so far."""
        return self._hash.hexdigest()


def keyed_request_of(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            pattern=r"^[\x21-\x7e]+$",
            description="any text of your own, new for every new request: sent again within 24 hours, the request is "
            "answered as it was the first time, and nothing is created twice",
        ),
    ] = None,
) -> KeyedRequest | None:
    """What a handler passes on to whatever writes, so that the key is written with what is created."""
    hashed: HashedBody | None = getattr(request.state, "hashed_body", None)
    if idempotency_key is None or hashed is None or hashed.key_lease is None:
        return None
    return KeyedRequest(hashed.key_lease, hashed.sha256)


KeyedDep = Annotated[KeyedRequest | None, Depends(keyed_request_of)]
Idempotent = Depends(keyed_request_of)
"""For a route whose handler has no use for the key, since what it writes is the same when it is written twice."""


def takes_keys(dependant: Dependant) -> bool:
    """Whether a route takes part."""
    return any(each.call is keyed_request_of or takes_keys(each) for each in dependant.dependencies)


async def answered_once(request: Request, handle: Callable[[Receive], Awaitable[Response]]) -> Response:
    """What `handle` answers, or what it answered when the request came for the first time."""
    key = request.headers.get(HEADER, "")
    if not key or len(key) > 255 or not all("!" <= character <= "~" for character in key):
        return await handle(request.receive)  # there is no key, or the route refuses it
    backend, hashed = backend_of(request), HashedBody(request)
    begun = await run_in_threadpool(backend.idempotency_keys.begin, key, route_path(request.scope))
    if isinstance(begun, StoredResponse):
        async for _ in Request(request.scope, hashed).stream():
            pass
        if hashed.sha256 != begun.sha256:
            raise KeyReused(key)
        return Response(begun.body, begun.status, {**begun.headers, REPLAY: "true"})
    hashed.key_lease = begun
    request.state.hashed_body = hashed
    try:
        response = await handle(hashed)
    except Exception:
        await run_in_threadpool(backend.idempotency_keys.abandon, begun)
        raise
    if response.status_code >= 300:
        await run_in_threadpool(backend.idempotency_keys.abandon, begun)
        return response
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    body = bytes(response.body).decode()
    with suppress(StoreError):  # what was created is written down, and found when it is asked again
        await run_in_threadpool(
            backend.idempotency_keys.answer, begun, StoredResponse(hashed.sha256, response.status_code, headers, body)
        )
    return response
