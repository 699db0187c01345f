"""Predictions of registered models: rows as JSON, as CSV or as raw float32."""

from math import prod
from typing import Annotated, Any

import numpy as np
from fastapi import Query, Request
from fastapi.concurrency import run_in_threadpool
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.responses import Response

from engine import DataError, Model
from service.dependencies import AliasQuery, ModelName, VersionQuery, meant
from service.http import fast_json
from service.http.media_types import essence, unsupported
from service.http.openapi import BINARY, TEXT, request_body
from service.http.problems import Fault, RequestRefused, documented, too_large
from service.http.request_bodies import validated
from service.http.routing import StrictRouter
from service.predictions import answers
from service.predictions.csv_rows import read_rows
from service.predictions.feature_samples import FeatureSamples
from service.predictions.serving import Served, Serving
from service.routes.predictions import EXAMPLES
from service.views.view import Object

router = StrictRouter("/v1/models", "models")

SMALL = 32 * 1024
"""Bytes of a body that is answered in the event loop: handing it to a thread takes longer than the answer."""

MOST_TEXT = 16 * 1024 * 1024
"""Bytes of JSON or CSV: as Python's objects they take many times their size."""

MOST_ROWS = 100_000

JSON, CSV, FLOATS = "application/json", "text/csv", "application/octet-stream"


class RowsBody(BaseModel):
    """Rows to predict from, each an object keyed by feature name or a plain array in the features' order."""

    model_config = ConfigDict(extra="forbid")

    rows: list[dict[str, JsonValue] | list[JsonValue]] = Field(min_length=1, max_length=MOST_ROWS)


class ModelPredictions(BaseModel):
    """A prediction per row, in the rows' order."""

    model: str
    version: int = Field(description="that answered")
    predictions: list[Object] = Field(
        description="`label` and `probabilities` for classes, `labels` and `probabilities` for several labels, `value` "
        "for numbers; with `top_k` instead of probabilities `top`: labels with their probability, the likeliest first"
    )


BODY = request_body(
    "JSON: `rows`. CSV: a header with the features' names, cells typed as in an upload; answered in CSV. Raw float32, "
    "little-endian: the features' numbers row by row, arrays in C order; for models whose features are all numbers.",
    {JSON: RowsBody, CSV: {**TEXT, "maxLength": MOST_TEXT}, FLOATS: BINARY},
    examples=EXAMPLES,
)
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {"Trainshed-Model": {"schema": {"type": "string"}, "description": "name@version that answered"}},
        "content": {CSV: {"schema": TEXT}, FLOATS: {"schema": BINARY}},
    }
}


@router.post(
    "/{name}/predict",
    response_model=ModelPredictions,
    responses={**ANSWERS, **documented(400, 404, 413, 415, 422)},
    openapi_extra=BODY,
)
async def predict_with_model(
    request: Request,
    name: ModelName,
    alias: AliasQuery = None,
    version: VersionQuery = None,
    top_k: Annotated[
        int | None, Query(ge=1, le=10_000, description="only so many labels a row, the likeliest first")
    ] = None,
) -> Response:
    """Predict with the newest version of a model, or with the one that `alias` or `version` means.

    The answer comes as the rows did, JSON, CSV or, if `Accept` names application/octet-stream, float32.
    """
    reference = meant(alias, version)
    serving: Serving = request.app.state.serving
    samples: FeatureSamples = request.app.state.samples
    served = serving.known(name, reference)
    if served is None:
        served = await run_in_threadpool(serving.served, name, reference)
    kind = media_type(request)
    form = answer_form(request, kind)
    body = await request.body()
    if kind != FLOATS and len(body) > MOST_TEXT:
        raise RequestRefused(413, "content_too_large", "Content Too Large", too_large(MOST_TEXT))
    refuse_top_k_of_values(served, top_k)
    if len(body) <= SMALL:
        rows = rows_of(served.model, kind, body)
        found = await request.app.state.gatherer.answers(served.model, answers.inputs_of(served.model, rows))
        content = written(served, samples, rows, form, found, top_k)
    else:
        content = await run_in_threadpool(answered, served, samples, kind, form, body, top_k)
    return Response(content, media_type=form, headers={"Trainshed-Model": f"{served.name}@{served.version}"})


def answered(served: Served, samples: FeatureSamples, kind: str, form: str, body: bytes, top_k: int | None) -> bytes:
    """The answer to a large body, from its bytes to the answer's, in one thread."""
    rows = rows_of(served.model, kind, body)
    found = answers.answers_to(served.model, rows)
    return written(served, samples, rows, form, found, top_k)


def refuse_top_k_of_values(served: Served, top_k: int | None) -> None:
    """Numbers have no rank."""
    if top_k is not None and served.model.network.target.kind == "values":
        fault = Fault(
            pointer="/top_k", part="query", detail="picks labels, and this model predicts values; leave it out"
        )
        raise RequestRefused(422, "invalid_request", "The request is not valid", fault.detail, [fault])


def written(
    served: Served, samples: FeatureSamples, rows: answers.Rows, form: str, found: answers.Answers, top_k: int | None
) -> bytes:
    """The answers in their form, once they are known to be answers."""
    if form == CSV:
        content = answers.as_csv(served.model, found, top_k)
    elif form == FLOATS:
        content = answers.as_floats(found)
    else:
        content = answers.as_json(served.name, served.version, served.model, found, top_k)
    if served.sampled:  # only now: what could not be answered says nothing about those who ask
        samples.offer(served.name, served.model, rows)
    return content


def rows_of(model: Model, kind: str, body: bytes) -> answers.Rows:
    """The rows of a body."""
    if kind == CSV:
        return read_rows(body, model.preprocessor, MOST_ROWS)
    if kind == FLOATS:
        return floats(model, body)
    return read_json(body)


def read_json(body: bytes) -> list[Any]:
    """The rows of a JSON body; raises `RequestRefused` as every JSON body does."""
    document = fast_json.read(body)
    if isinstance(document, dict) and document.keys() == {"rows"}:
        rows = document["rows"]
        if isinstance(rows, list) and 0 < len(rows) <= MOST_ROWS and all(type(row) in (dict, list) for row in rows):
            return rows
    validated(RowsBody, document)  # which says what is wrong
    raise AssertionError("the model of the body takes what the shorter way refuses")


def floats(model: Model, body: bytes) -> NDArray[np.float32]:
    """Rows of raw numbers."""
    size = sum(map(prod, model.preprocessor.shapes.values()))
    if not body or len(body) % (4 * size):
        raise DataError(
            f"the body has {len(body)} bytes; a row is {size} float32, {4 * size} bytes, and the body whole rows"
        )
    return np.frombuffer(body, "<f4").reshape(-1, size)


def media_type(request: Request) -> str:
    """What the body says that it is."""
    kind = essence(request.headers.get("content-type", ""))
    if kind not in (JSON, CSV, FLOATS):
        raise unsupported(kind, (JSON, CSV, FLOATS))
    return kind


def answer_form(request: Request, kind: str) -> str:
    """What the answer is to be: what `Accept` names, or what suits the body."""
    accepted = request.headers.get("accept", "")
    for form in (JSON, CSV, FLOATS):
        if form in accepted:
            return form
    return CSV if kind == CSV else JSON
