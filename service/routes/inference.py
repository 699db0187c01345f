"""The Open Inference Protocol, version 2, over REST: what Triton's, KServe's and MLServer's clients speak.

A request's Content-Type is not asked for, since some clients send none. Success is 200. An error has the shape of
every problem here and the string member `error`.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any

from fastapi import Path, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from engine import Model, RowError
from engine.data.encoding.row_reading import RowMarks
from engine.data.reading.unreadable import UnreadableRows
from engine.json_pointer import pointer
from service.dependencies import BackendDep, ModelName, ResolverDep, WholeBackendDep, pipeline_of
from service.http import fast_json
from service.http.openapi import BINARY, request_body
from service.http.problems import RequestRefused, documented
from service.http.routing import StrictRouter
from service.http.workspace import backend_of
from service.inference import repository
from service.inference.answer import JSON, OCTETS, EncodedResponse, InferenceResponse, written
from service.inference.refusal import refused
from service.inference.request import DecodedRequest, InferenceRequest, read
from service.inference.signature import Rows, ignored, inputs_of, outputs_of, raw_rows
from service.predictions import formats
from service.predictions.pictures import may_hold_pictures
from service.predictions.pipeline import SMALL
from service.predictions.resolution import Resolved
from service.predictions.strictness import unknown
from worker.workspace import Workspace

router = StrictRouter("/v2", "inference")

EXTENSIONS = ["binary_tensor_data", "classification"]
LENGTH = "Inference-Header-Content-Length"
Version = Annotated[str, Path(description="number of a version, or an alias", max_length=64)]


class ServerMetadata(BaseModel):
    """Who answers, and what it can beside the protocol's core."""

    name: str = "trainshed"
    version: str
    extensions: list[str] = EXTENSIONS


class ServerLive(BaseModel):
    """The process answers."""

    live: bool = True


class ServerReady(BaseModel):
    """Models can be looked up. The protocol's text prints `live` here, its clients read `ready`."""

    ready: bool = True
    live: bool = True


class ModelReady(BaseModel):
    """The model is in memory."""

    name: str
    ready: bool = True


class TensorMetadata(BaseModel):
    """A tensor that a model takes or answers; −1 is any number of rows."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """What a model takes and answers."""

    name: str
    versions: list[str]
    platform: str = "trainshed"
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class IndexRequest(BaseModel):
    """Which models to list."""

    model_config = ConfigDict(extra="ignore", strict=True)

    ready: bool = Field(False, description="only those that are ready; all of them are")


class IndexEntry(BaseModel):
    """A version of a model."""

    name: str
    version: str
    state: str = "READY"
    reason: str = ""


INFERENCE: dict[str, Any] = {
    "response_model": InferenceResponse,
    "responses": {
        200: {
            "headers": {LENGTH: {"description": "bytes of JSON before others", "schema": {"type": "integer"}}},
            "content": {OCTETS: {"schema": BINARY}},
        },
        **documented(400, 404, 413, 415, 422),
    },
    "openapi_extra": request_body(
        "JSON, or as bytes: the JSON part, whose length the header Inference-Header-Content-Length says, and behind it "
        "the inputs that have a `binary_data_size`.",
        {JSON: InferenceRequest, OCTETS: BINARY},
    ),
}


@router.get("", responses=documented())
async def get_server_metadata(request: Request) -> ServerMetadata:
    """The server's name, version and extensions."""
    return ServerMetadata(version=request.app.version)


@router.get("/health/live")
async def check_server_liveness() -> ServerLive:
    """The process answers."""
    return ServerLive()


@router.get("/health/ready", responses=documented())
def check_server_readiness(backend: WholeBackendDep) -> ServerReady:
    """Models can be looked up."""
    backend.ping()
    return ServerReady()


@router.post(
    "/repository/index",
    responses=documented(400, 413),
    openapi_extra=request_body("May be left out.", {JSON: IndexRequest}, required=False),
)
async def list_repository_models(request: Request, backend: BackendDep) -> list[IndexEntry]:
    """Every version of every model."""
    body = await request.body()
    if body.strip():
        try:
            IndexRequest.model_validate(fast_json.read(body))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise refused(pointer(first["loc"]), first["msg"]) from error
    return await run_in_threadpool(lambda: list(listed(backend)))


@router.get("/models/{name}", responses=documented(404, 422))
@router.get("/models/{name}/versions/{version}", name="get_version_metadata", responses=documented(404, 422))
def get_model_metadata(
    name: ModelName, resolver: ResolverDep, backend: BackendDep, version: Version | None = None
) -> ModelMetadata:
    """The tensors that a model takes and answers; without a version those of the newest."""
    model = resolver.look_up(backend, name, reference(version)).model
    return ModelMetadata(
        name=name,
        versions=[str(number) for number in repository.versions(backend, name)],
        inputs=[TensorMetadata(**info._asdict()) for info in inputs_of(model)],
        outputs=[TensorMetadata(**info._asdict()) for info in outputs_of(model)],
    )


@router.get("/models/{name}/ready", responses=documented(404, 422))
@router.get("/models/{name}/versions/{version}/ready", name="check_version_readiness", responses=documented(404, 422))
def check_model_readiness(
    name: ModelName, resolver: ResolverDep, backend: BackendDep, version: Version | None = None
) -> ModelReady:
    """The model is in memory; it is read from disk for that if need be."""
    resolver.look_up(backend, name, reference(version))
    return ModelReady(name=name)


@router.post("/models/{name}/infer", **INFERENCE)
@router.post("/models/{name}/versions/{version}/infer", name="infer_with_version", **INFERENCE)
async def infer_with_model(request: Request, name: ModelName, version: Version | None = None) -> Response:
    """Predict from tensors, in JSON or as bytes behind it; without a version by the newest."""
    pipeline = pipeline_of(request)
    resolved = await pipeline.resolver.resolve(backend_of(request), name, reference(version))
    body = await body_of(request)
    exchange = TensorExchange(body, json_length(request))
    decodes = len(body) <= SMALL and may_hold_pictures(resolved.model, "", bytes(body))
    return response(await pipeline.predict(resolved, exchange, len(body), decodes=decodes))


class TensorExchange:
    """Tensors in, tensors out."""

    def __init__(self, body: bytes | bytearray, json_bytes: int | None) -> None:
        self._body = body
        self._json_bytes = json_bytes

    @cached_property
    def _asked(self) -> DecodedRequest:
        return read(self._body, self._json_bytes)

    def rows(self, model: Model) -> Rows:
        return raw_rows(model, self._asked.inputs)

    def refusal(self, model: Model, rows: formats.Rows, error: RowError) -> RequestRefused:
        faults = error.faults if isinstance(error, UnreadableRows) else (error,)
        return refused("/inputs", "; ".join(fault.detail for fault in faults))

    def content(self, resolved: Resolved, predicted: formats.Predicted, marks: RowMarks) -> EncodedResponse:
        names = ignored(resolved.model, self._asked.inputs)
        if names and resolved.serving.strict:
            raise refused("/inputs", unknown(names))
        try:
            return written(resolved, self._asked, predicted, marks, names)
        except RowError as error:
            raise refused("/inputs", str(error)) from error


async def body_of(request: Request) -> bytes | bytearray:
    """The whole body; a large one is put together as it comes, not out of its pieces at the end."""
    size = request.headers.get("content-length", "")
    if size.isdigit() and int(size) <= SMALL:
        return await request.body()
    body = bytearray()
    async for piece in request.stream():
        body += piece
    return body


def response(answer: EncodedResponse) -> Response:
    """The answer with the headers that say how to read it; it goes out compressed if that is asked for, tensors too."""
    headers = {"Vary": "Accept-Encoding"}
    if answer.json_bytes is not None:
        headers[LENGTH] = str(answer.json_bytes)
    return Response(answer.body, media_type=answer.media_type, headers=headers)


def json_length(request: Request) -> int | None:
    """How many bytes of the body are JSON, where others follow."""
    text = request.headers.get(LENGTH)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise refused(f"/{LENGTH}", f"is {text[:40]!r}; it takes a number of bytes", "header")
    return int(text)


def listed(backend: Workspace) -> Iterator[IndexEntry]:
    """The entries of the index."""
    for name in repository.names(backend):
        for version in repository.versions(backend, name):
            yield IndexEntry(name=name, version=str(version))


def reference(version: str | None) -> int | str | None:
    """What the path means: a number, an alias, or the newest version."""
    return int(version) if version is not None and version.isascii() and version.isdigit() else version
