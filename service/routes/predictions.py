"""Predictions from a job's model."""

from typing import NamedTuple

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.responses import Response

from engine import Model, RowError
from engine.data.encoding.row_reading import RowMarks
from service.dependencies import BackendDep, ExistingJob, pipeline_of
from service.http.media_types import essence
from service.http.openapi import BINARY, request_body
from service.http.plain_route import document_of, read_body
from service.http.problems import RequestRefused, documented
from service.http.request_bodies import validated
from service.http.routing import StrictRouter
from service.predictions import formats
from service.predictions.pictures import PICTURES, is_picture, may_hold_pictures, read_picture
from service.predictions.resolution import Resolved
from service.views.predictions import Predictions

router = StrictRouter("/v1/jobs/{job_id}", "predictions")

MOST_BYTES = 4 * 1024 * 1024
"""Bytes of JSON; a picture may have as many as any request for predictions."""
MOST_ROWS = 10_000


class Rows(BaseModel):
    """Rows to predict from, each an object keyed by feature name or a plain array in the features' order."""

    model_config = ConfigDict(extra="forbid")

    rows: list[dict[str, JsonValue] | list[JsonValue]] = Field(min_length=1, max_length=MOST_ROWS)


FLOWER = {"sepal length (cm)": 5.1, "sepal width (cm)": 3.5, "petal length (cm)": 1.4, "petal width (cm)": 0.2}
EXAMPLES = {
    "objects": {"summary": "Rows of iris as objects", "value": {"rows": [FLOWER]}},
    "arrays": {"summary": "Rows of iris as arrays", "value": {"rows": [[*FLOWER.values()]]}},
}


class JobExchange(NamedTuple):
    """Rows that have been read already, predictions as JSON."""

    given: formats.Rows

    def rows(self, model: Model) -> formats.Rows:
        return self.given

    def refusal(self, model: Model, rows: formats.Rows, error: RowError) -> RequestRefused:
        return formats.refused(error)

    def content(self, resolved: Resolved, predicted: formats.Predicted, marks: RowMarks) -> bytes:
        try:
            return formats.as_json(resolved.model, predicted, marks)
        except RowError as error:  # of numbers so large that what is predicted is not finite
            raise formats.refused(error) from error


BODY = request_body(
    "JSON: `rows`. A picture: one row, for models that learned from pictures; in JSON a picture is text, as base64 or "
    "a data URL.",
    {"application/json": Rows, **dict.fromkeys(PICTURES, BINARY)},
    examples=EXAMPLES,
)


@router.post(
    "/predict",
    response_model=Predictions,
    responses=documented(400, 404, 409, 413, 415, 422),
    openapi_extra=BODY,
)
async def predict_with_job(request: Request, job: ExistingJob, backend: BackendDep) -> Response:
    """Predict with the model that a succeeded job kept."""
    pipeline = pipeline_of(request)
    kind = essence(request.headers.get("content-type", ""))
    body = await read_body(request, pipeline.max_bytes if is_picture(kind) else MOST_BYTES)
    rows: formats.Rows = [] if is_picture(kind) else validated(Rows, await document_of(request, body)).rows
    resolved = await run_in_threadpool(pipeline.resolver.look_up_job, backend, job.id)
    if is_picture(kind):
        rows = await run_in_threadpool(read_picture, resolved.model, body)
    decodes = may_hold_pictures(resolved.model, kind, body)
    content = await pipeline.predict(resolved, JobExchange(rows), len(body), decodes=decodes)
    return Response(content, media_type="application/json")
