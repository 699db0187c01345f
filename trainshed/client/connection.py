"""The one path of a request: sent, sent again where that helps, and its refusal raised."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from time import monotonic
from typing import IO, TypedDict, TypeVar, Unpack, cast
from uuid import uuid4

import httpx

from trainshed.client.address import hide_password
from trainshed.client.errors import ProblemError, Unreachable
from trainshed.client.page import Page
from trainshed.client.retries import attempts

POLL_SECONDS = 20.0  # of one long poll: shorter than what proxies allow
IDEMPOTENCY_KEY = "Idempotency-Key"
REPEATABLE = frozenset({"GET", "HEAD", "PUT"})

T = TypeVar("T")
Value = str | int | float | None
Query = Mapping[str, Value]


class Options(TypedDict, total=False):
    """What else a request may have."""

    body: object  # what json.dumps takes
    content: Path | bytes
    headers: Mapping[str, str]
    timeout: float  # seconds, instead of the connection's
    retries: int
    repeatable: bool  # sending it twice does no harm, although neither the method nor a key says so


class Connection:
    """Connections to one service, kept open between requests; safe to share between threads."""

    def __init__(self, url: str, timeout: float, retries: int) -> None:
        self.url = url
        self.timeout = timeout
        self.retries = retries
        self._http = httpx.Client(base_url=url, timeout=timeout)

    def close(self) -> None:
        """Close them."""
        self._http.close()

    # What comes out of json() is taken for what the route promises: tests compare the types with the API's document.

    def json(
        self, answer: type[T], method: str, path: str, query: Query | None = None, **options: Unpack[Options]
    ) -> T:
        """What a route answers."""
        return cast(T, self.request(method, path, query, **options).json())

    def page(self, entry: type[T], path: str, query: Query | None = None) -> Page[T]:
        """A page of a list."""
        body = self.request("GET", path, query).json()
        return Page(cast(list[T], body["data"]), bool(body.get("has_more")))

    def entries(self, entry: type[T], path: str, query: Query, place: str) -> Iterator[T]:
        """All of a list, page by page; `place` is the field of an entry that `after` takes."""
        after: Value = None
        while True:
            page = self.page(entry, path, {**query, "after": after})
            yield from page
            if not page.has_more:
                return
            after = cast(dict[str, Value], page[-1])[place]

    def create(
        self, answer: type[T], path: str, body: object, query: Query | None = None, *, key: str | None = None
    ) -> T:
        """What a route made: once, however often the request has to be sent."""
        headers = {IDEMPOTENCY_KEY: key or uuid4().hex}
        return self.json(answer, "POST", path, query, body=body, headers=headers)

    def upload(
        self,
        answer: type[T],
        path: str,
        content: Path | bytes,
        media_type: str,
        query: Query,
        *,
        key: str | None = None,
    ) -> T:
        """What a route made of a file, which may be larger than memory."""
        headers = {IDEMPOTENCY_KEY: key or uuid4().hex, "Content-Type": media_type}
        return self.json(answer, "POST", path, query, content=content, headers=headers)

    def wait(self, answer: type[T], path: str, done: Callable[[T], bool], seconds: float | None) -> T:
        """What a route answers once it is done, or as it is after `seconds`."""
        deadline = None if seconds is None else monotonic() + seconds
        while True:
            left = POLL_SECONDS if deadline is None else min(POLL_SECONDS, max(0.0, deadline - monotonic()))
            now = self.json(answer, "GET", path, {"wait": left}, timeout=self.timeout + left)
            if done(now) or left <= 0:
                return now

    def request(self, method: str, path: str, query: Query | None = None, **options: Unpack[Options]) -> httpx.Response:
        """The answer; raises ProblemError for a refusal, Unreachable where none comes."""
        headers = options.get("headers", {})
        repeatable = options.get("repeatable", method in REPEATABLE or IDEMPOTENCY_KEY in headers)
        with self.translate_errors():
            for attempt in attempts(repeatable=repeatable, retries=options.get("retries", self.retries)):
                with attempt, _open(options.get("content")) as data:
                    response = self._http.request(
                        method,
                        path,
                        params=_without_none(query),
                        json=options.get("body"),
                        content=data,
                        headers=headers,
                        timeout=options.get("timeout", self.timeout),
                    )
                    if response.is_error:
                        raise ProblemError.of(response)
        return response

    def download(self, path: str, to: Path, query: Query | None = None) -> None:
        """Write an answer to a file piece by piece."""
        with self.translate_errors():
            for attempt in attempts(repeatable=True, retries=self.retries):
                with attempt, self.stream(path, query) as response, to.open("wb") as file:
                    for piece in response.iter_bytes():
                        file.write(piece)

    @contextmanager
    def stream(
        self,
        path: str,
        query: Query | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        silence: float | None = None,
    ) -> Iterator[httpx.Response]:
        """An answer that is still to be read, in which nothing may come for `silence` seconds; it is not sent again."""
        patience = httpx.Timeout(self.timeout, read=self.timeout if silence is None else silence)
        with self._http.stream("GET", path, params=_without_none(query), headers=headers, timeout=patience) as response:
            if response.is_error:
                response.read()
                raise ProblemError.of(response)
            yield response

    @contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Raise Unreachable for what httpx says of the network."""
        try:
            yield
        except httpx.TransportError as error:
            raise Unreachable(hide_password(self.url), str(error) or type(error).__name__) from error


def _open(content: Path | bytes | None) -> AbstractContextManager[IO[bytes] | bytes | None]:
    """A file is opened for each attempt anew, so that all of it is sent."""
    return content.open("rb") if isinstance(content, Path) else nullcontext(content)


def _without_none(query: Query | None) -> dict[str, str | int | float]:
    return {name: value for name, value in (query or {}).items() if value is not None}
