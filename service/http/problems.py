"""Every error as RFC 9457 problem+json: one shape, one table from families of errors to statuses.

`detail` is a sentence for people, `code` a word for programs, `errors` names each place in the request.
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

import engine.errors as engine
import worker.errors as worker
from engine import SpecErrors
from service.http.root_path import route_path

Part = Literal["body", "query", "path", "header"]
Responses: TypeAlias = dict[int | str, dict[str, Any]]
"""The `responses=` of a route: what is documented of each status."""

STATUS: Mapping[type[Exception], int] = {
    engine.EngineError: 422,
    engine.CheckpointMismatch: 409,
    worker.NotFound: 404,
    worker.Conflict: 409,
    worker.RevisionChanged: 412,
    worker.Invalid: 422,
    worker.UploadTooLarge: 413,
    worker.UnsupportedMediaType: 415,
    worker.Unavailable: 503,
    worker.StorageFull: 507,
    worker.ArtifactDamaged: 500,
}
"""The status of every family of errors that the packages behind the service raise, and of what HTTP tells apart."""

NOT_VALID = "The request is not valid"
MOST_FAULTS = 20

RETRY_AFTER = {429: "5", 503: "5"}

CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "content_too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
    500: "internal_error",
    503: "unavailable",
}


class Fault(BaseModel):
    """One place in the request, and what is wrong there."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    pointer: str = Field(description="JSON pointer (RFC 6901) into the part of the request that `in` names")
    part: Part = Field("body", alias="in", description="the part of the request")
    detail: str = Field(description="what is wrong, and what is allowed")


class Problem(BaseModel):
    """An RFC 9457 problem."""

    type: str = Field(description="a stable name of the kind of problem", examples=["urn:trainshed:invalid_request"])
    title: str = Field(description="the kind of problem in a few words")
    status: int = Field(description="the HTTP status, again")
    detail: str = Field(description="what happened this time, and what to do about it")
    instance: str = Field(description="the path that was asked for")
    code: str = Field(description="the kind of problem as one word, for programs")
    errors: list[Fault] = Field(description="each place in the request that is at fault; may be empty")


class RequestRefused(HTTPException):
    """The request cannot be read, or says something that cannot be meant."""

    def __init__(self, status: int, code: str, title: str, detail: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(status, detail)
        self.code = code
        self.title = title
        self.faults = list(faults)


def invalid(faults: Sequence[Fault], *, detail: str = "", more: int = 0) -> RequestRefused:
    """The refusal of a request that can be read and is not what was asked for, in these places and so many more."""
    return RequestRefused(422, "invalid_request", NOT_VALID, detail or summary(faults, more), faults[:MOST_FAULTS])


class ProblemResponse(Response):
    """A problem on the wire: ASCII, so that not even a stray surrogate can break it."""

    media_type = "application/problem+json"

    @classmethod
    def of(
        cls,
        scope: Mapping[str, Any],
        status: int,
        detail: str,
        *,
        code: str | None = None,
        title: str | None = None,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> "ProblemResponse":
        """The problem with a request, of which its scope is enough."""
        code = code or CODES.get(status, HTTPStatus(status).phrase.lower().replace(" ", "_").replace("-", "_"))
        problem = Problem(
            type=f"urn:trainshed:{code}",
            title=title or HTTPStatus(status).phrase,
            status=status,
            detail=detail,
            instance=scope["path"],
            code=code,
            errors=list(faults),
        )
        document = problem.model_dump(by_alias=True)
        if route_path(scope).startswith("/v2"):
            document["error"] = detail  # where clients of the Open Inference Protocol look for the reason
        content = json.dumps(document, ensure_ascii=True, allow_nan=False)
        retry = {"Retry-After": RETRY_AFTER[status]} if status in RETRY_AFTER else {}
        return cls(content, status, headers={**retry, **(headers or {})})

    @classmethod
    def of_refusal(
        cls, scope: Mapping[str, Any], refused: RequestRefused, faults: Sequence[Fault] | None = None
    ) -> "ProblemResponse":
        """The refusal as a problem; with `faults` in place of its own where they are to be told otherwise."""
        return cls.of(
            scope,
            refused.status_code,
            str(refused.detail),
            code=refused.code,
            title=refused.title,
            faults=refused.faults if faults is None else faults,
            headers=refused.headers,
        )


def status_of(error: Exception) -> int:
    """That of its family; what a spec refers to and is not there is the spec's fault, not the path's."""
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
    return 422 if status == 404 and bool(getattr(error, "pointer", "")) else status


def faults_of(error: Exception) -> list[Fault]:
    """The places that the error names, if it names any."""
    detail = str(error)
    if isinstance(error, SpecErrors):
        return [Fault(pointer=fault.pointer, part="body", detail=fault.detail) for fault in error.faults]
    if isinstance(error, worker.InvalidPage):
        return [Fault(pointer=f"/{error.parameter}", part="query", detail=detail)]
    if isinstance(error, worker.InvalidName):
        return [Fault(pointer="/name", part="query", detail=detail)]
    where = getattr(error, "pointer", "")
    return [Fault(pointer=where, part="body", detail=detail)] if where else []


def summary(faults: Sequence[Fault], more: int = 0) -> str:
    """The first fault with its place, and how many follow, with those that are more than the faults."""
    first = faults[0]
    where = first.pointer or ("the body" if first.part == "body" else first.part)
    others = len(faults) - 1 + more
    return f"{where}: {first.detail}" + (f" (and {others} more)" if others else "")


def too_large(limit: int | None) -> str:
    """The sentence of every 413."""
    return f"the body is larger than the {limit} bytes allowed here" if limit else "the body is too large"


def documented(*statuses: int) -> Responses:
    """The `responses=` of a route: these statuses answer with a problem."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {ProblemResponse.media_type: {"schema": schema}},
        }
        for status in sorted({*statuses, 500, 503})
    }
