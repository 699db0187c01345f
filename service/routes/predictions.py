"""Predictions from a job's model."""

from typing import Annotated

from fastapi import Body
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from service.dependencies import BackendDep, ExistingJob, PredictorsDep
from service.http.problems import documented
from service.http.request_bodies import Strict
from service.http.routing import StrictRouter
from service.predictions.answers import predictions
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


@router.post("/predict", responses=documented(400, 404, 409, 413, 415, 422), max_body_size=MOST_BYTES)
def predict_with_job(
    body: Annotated[Strict[Rows], Body(openapi_examples=EXAMPLES)],
    job: ExistingJob,
    backend: BackendDep,
    predictors: PredictorsDep,
) -> Predictions:
    """Predict with the model that a succeeded job kept."""
    model = predictors.get(backend.jobs.model(job.id).sha256, lambda: backend.jobs.model_path(job.id))
    return Predictions.of(predictions(model, body.rows))
