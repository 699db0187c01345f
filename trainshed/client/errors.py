"""What the client raises, as a tree:

TrainshedError              the client cannot do what was asked
├── InvalidUrl              what should be the address of a service is none
├── UnknownMediaType        what is to be uploaded does not say what it is
├── Unreachable             nobody answers at the address
├── ProblemError            the service refused: `status`, `code`, `detail`, and `errors` by field (RFC 9457)
│   ├── NotFound            404: there is no such job, dataset, model, …
│   ├── Conflict            409, 412: not in its state, or changed since
│   └── Unavailable         429, 503: not now; `retry_after` says in how many seconds
└── JobFailed               a job that was waited for did not succeed: `job`
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from trainshed.client.types import Fault, Job


class TrainshedError(Exception):
    """The client cannot do what was asked."""


class InvalidUrl(TrainshedError):
    """What should be the address of a service is none."""


class UnknownMediaType(TrainshedError):
    """What is to be uploaded does not say what it is."""


class Unreachable(TrainshedError):
    """Nobody answers at the address."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(
            f"no answer from {url} ({why}). Is trainshed running there? `trainshed serve` starts it; "
            "TRAINSHED_URL or --url names another address."
        )
        self.url = url


class ProblemError(TrainshedError):
    """The service refused a request; the message says why and points at the fields (RFC 9457)."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        code: str = "",
        errors: Sequence[Fault] = (),
        retry_after: float | None = None,
    ) -> None:
        self.status = status
        self.title = title
        self.detail = detail
        self.code = code
        self.errors = tuple(errors)
        self.retry_after = retry_after
        lines = [f"{status} {title}" + (f": {detail}" if detail and detail != title else "")]
        lines += [f"  {error['pointer'] or '(the whole document)'}: {error['detail']}" for error in self.errors]
        super().__init__("\n".join(lines))

    @classmethod
    def of(cls, response: httpx.Response) -> "ProblemError":
        """The problem in an answer; an answer that is none (a proxy's page) keeps its first words."""
        kind = KINDS.get(response.status_code, ProblemError)
        wait = read_retry_after(response.headers)
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return kind(response.status_code, response.reason_phrase, response.text[:200], retry_after=wait)
        return kind(
            response.status_code,
            body.get("title") or response.reason_phrase,
            body.get("detail") or "",
            body.get("code") or "",
            body.get("errors") or (),
            wait,
        )


class NotFound(ProblemError):
    """There is no such job, dataset, model, … (404)."""


class Conflict(ProblemError):
    """What is asked for does not fit the state that something is in (409), or it has changed since (412)."""


class Unavailable(ProblemError):
    """The service cannot answer now (503), or is asked too often (429); `retry_after` says in how many seconds."""


class JobFailed(TrainshedError):
    """A job that was waited for did not succeed."""

    def __init__(self, job: Job) -> None:
        error = job["error"]
        why = f": {error['message']} {error['hint'] or ''}".rstrip() if error else ""
        super().__init__(f"job {job['id']} is {job['state']}{why}")
        self.job = job


KINDS: Mapping[int, type[ProblemError]] = {
    404: NotFound,
    409: Conflict,
    412: Conflict,
    429: Unavailable,
    503: Unavailable,
}


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """What Retry-After says, a number of seconds or a date (RFC 9110); None where it says nothing."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
