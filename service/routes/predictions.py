"""Predictions from a job's model."""

from typing import Annotated, NamedTuple

from fastapi import Body, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.responses import Response

from engine import Model, RowError
from service.dependencies import BackendDep, ExistingJob, pipeline_of
from service.http.problems import RequestRefused, documented
from service.http.request_bodies import Strict
from service.http.routing import StrictRouter
from service.predictions import formats
from service.predictions.resolution import Resolved
from service.views.predictions import Predictions

router = StrictRouter("/v1/jobs/{job_id}", "predictions")

MOST_BYTES = 4 * 1024 * 1024
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
        return formats.refused(model, rows, error)

    def content(self, resolved: Resolved, predicted: formats.Predicted) -> bytes:
        try:
            return formats.as_json(resolved.model, predicted)
        except RowError as error:  # of numbers so large that what is predicted is not finite
            raise formats.refused(resolved.model, self.given, error) from error


@router.post(
    "/predict", response_model=Predictions, responses=documented(400, 404, 409, 413, 415, 422), max_body_size=MOST_BYTES
)
async def predict_with_job(
    request: Request,
    body: Annotated[Strict[Rows], Body(openapi_examples=EXAMPLES)],
    job: ExistingJob,
    backend: BackendDep,
) -> Response:
    """Predict with the model that a succeeded job kept."""
    pipeline = pipeline_of(request)
    resolved = await run_in_threadpool(pipeline.resolver.look_up_job, backend, job.id)
    size = int(request.headers.get("content-length", MOST_BYTES))
    content = await pipeline.predict(resolved, JobExchange(body.rows), size)
    return Response(content, media_type="application/json")
