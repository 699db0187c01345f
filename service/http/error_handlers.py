"""Every way an error can leave the application, each in the shape of a problem.

Which routes there are is private ground of fastapi, tried with 0.165; their paths and limits
are private ground of starlette, tried with 1.10.
"""

from collections.abc import Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.middleware.body_limit import MAX_BODY_SIZE_SCOPE_KEY
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import compile_path

import engine.errors as engine
import worker.errors as worker
from engine.json_pointer import pointer
from engine.short_forms import pointer_as_written
from service.http.head import asked_method
from service.http.json_pointers import Place
from service.http.problems import (
    NOT_VALID,
    Fault,
    ProblemResponse,
    RequestRefused,
    faults_of,
    status_of,
    summary,
    too_large,
)
from service.http.root_path import route_path
from service.http.uploads import ReceivedForm
from service.http.validation_messages import joined, sentence


class Over(Exception):
    """Nothing will come any more: no error, but answered 204, after which an EventSource does not come back."""


def install(app: FastAPI) -> None:
    """Every way an error can leave the application goes through here."""
    app.add_exception_handler(engine.EngineError, on_package_error)
    app.add_exception_handler(worker.WorkerError, on_package_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_invalid_parameters)
    app.add_exception_handler(ClientDisconnect, on_disconnect)
    app.add_exception_handler(Over, on_over)
    app.add_exception_handler(Exception, on_crash)


async def on_package_error(request: Request, error: Exception) -> Response:
    """An error of the engine or the worker, with the status of its family."""
    title = (type(error).__doc__ or "").strip().partition("\n")[0].rstrip(".")
    return ProblemResponse.of(
        request,
        status_of(error),
        str(error),
        code=str(getattr(error, "code", "internal_error")),
        title=title,
        faults=as_sent(request, [as_written(request, fault) for fault in faults_of(error)]),
    )


def as_written(request: Request, fault: Fault) -> Fault:
    """The fault of a spec, with a pointer into the document that it was made of: that may have short forms."""
    document = getattr(request.state, "document", None)
    return fault.model_copy(update={"pointer": pointer_as_written(document, fault.pointer)}) if document else fault


async def on_http_error(request: Request, error: Exception) -> Response:
    """What the framework refuses (unknown paths, wrong methods, large bodies), and what we refuse like it."""
    if not isinstance(error, HTTPException):
        raise error
    if isinstance(error, RequestRefused):
        return ProblemResponse.of_refusal(request, error, as_sent(request, error.faults))
    path, headers, detail = request.scope["path"], dict(error.headers or {}), str(error.detail)
    if error.status_code == 404:
        detail = f"there is nothing at {path}; GET {request.scope['root_path']}/docs lists what there is"
    elif error.status_code == 405:
        headers["Allow"] = ", ".join(allowed_methods(request)) or headers.get("Allow", "")
        detail = f"{asked_method(request.scope)} is not possible at {path}; allowed: {headers['Allow']}"
    elif error.status_code == 413:
        detail = too_large(request.scope.get(MAX_BODY_SIZE_SCOPE_KEY))
    return ProblemResponse.of(request, error.status_code, detail, headers=headers)


async def on_invalid_parameters(request: Request, error: Exception) -> Response:
    """A query parameter, header or path segment, or a body that is not there at all."""
    if not isinstance(error, RequestValidationError):
        raise error
    faults = []
    for found in error.errors():
        part, *tokens = found["loc"]
        finding = sentence(found, Place((), ()))
        is_missing = part == "body" and not tokens
        detail = "the request has no body; send a JSON object" if is_missing else joined([finding])
        faults.append(Fault(pointer=pointer(tokens), part=part, detail=detail))
    faults = as_sent(request, faults)
    return ProblemResponse.of(request, 422, summary(faults), title=NOT_VALID, faults=faults)


async def on_disconnect(request: Request, error: Exception) -> Response:
    """The client left in the middle of its body: nobody reads this, and nothing is wrong with us."""
    return ProblemResponse.of(request, 400, "the connection ended before the body did")


async def on_over(request: Request, error: Exception) -> Response:
    """No error: an EventSource that is answered 204 does not come back."""
    return Response(status_code=204)


async def on_crash(request: Request, error: Exception) -> Response:
    """A bug: the caller learns that it is ours; the log has the traceback."""
    return ProblemResponse.of(request, 500, "this is a bug in trainshed; the log of the service has the details")


def as_sent(request: Request, faults: Sequence[Fault]) -> list[Fault]:
    """What is at fault in a query parameter is at fault in the body, where that was a form that had it."""
    form: ReceivedForm | None = getattr(request.state, "form", None)
    fields = [] if form is None else [pointer([name]) for name in form.fields]
    return [
        fault.model_copy(update={"part": "body"}) if fault.part == "query" and fault.pointer in fields else fault
        for fault in faults
    ]


def allowed_methods(request: Request) -> list[str]:
    """The methods of every route with this path: the framework names only the first one's."""
    app: FastAPI = request.app
    path = route_path(request.scope)
    methods: set[str] = set()
    for context in iter_route_contexts(app.routes):
        if context.path and context.methods and compile_path(context.path)[0].match(path):
            methods |= context.methods
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))
