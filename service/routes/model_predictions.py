"""Predictions of registered models: rows as JSON, as CSV or as raw float32, or a picture."""

from typing import Annotated, NamedTuple
from urllib.parse import quote

import numpy as np
from fastapi import Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from engine import Model, RowError
from engine.data.encoding.row_reading import RowMarks
from engine.data.formats.csv.csv_encoding import in_utf8
from engine.serving import refusal_of_threshold
from service.dependencies import ModelName, meant, pipeline_of
from service.http.headers import header
from service.http.media_types import charset_of, essence, unsupported
from service.http.openapi import BINARY, TEXT, request_body
from service.http.plain_route import Content, PlainRoute, QueryModel, body_too_large, read_body
from service.http.problems import Fault, RequestRefused, Responses, documented, invalid
from service.http.routing import StrictRouter
from service.http.workspace import backend_of
from service.predictions import formats
from service.predictions.pictures import PICTURES, is_picture, may_hold_pictures
from service.predictions.pipeline import SMALL
from service.predictions.resolution import Resolved
from service.predictions.rows import CSV, FLOATS, JSON, RowsBody, read_json, rows_of
from service.routes.predictions import EXAMPLES
from service.views.view import Object

router = StrictRouter("/v1/models", "models", PlainRoute)

FORMS = tuple((form, form.encode()) for form in (JSON, CSV, FLOATS))
CONTENT_TYPES = {
    JSON: (b"content-type", b"application/json"),
    CSV: (b"content-type", b"text/csv; charset=utf-8"),
    FLOATS: (b"content-type", b"application/octet-stream"),
}

MOST_TEXT = 16 * 1024 * 1024
"""Bytes of JSON or CSV: as Python's objects they take many times their size."""


class PredictQuery(QueryModel):
    """Which version answers, and how much of what it says."""

    alias: str | None = Field(None, max_length=64, description="the version that this alias means")
    version: int | None = Field(None, ge=1, le=2**31 - 1, description="this version; without either the newest")
    top_k: int | None = Field(None, ge=1, le=10_000, description="only so many labels a row, the likeliest first")
    threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="instead of the version's: the probability from which on a row is of the second of two classes, or "
        "has one of several labels",
    )


class ModelPredictions(BaseModel):
    """A prediction per row, in the rows' order."""

    model: str
    version: int = Field(description="that answered")
    predictions: list[Object] = Field(
        description="`label` and `probabilities` for classes, `labels` and `probabilities` for several labels, `value` "
        "for numbers; with `top_k` instead of probabilities `top`: labels with their probability, the likeliest first. "
        "Where there is something to say of a row: `filled`, the fields that were missing and were filled in as the "
        "training rows taught; `unseen`, those whose label no training row had, which has no influence; `outside`, "
        "those whose number is outside the training range by more than its width"
    )
    ignored: list[str] = Field(
        default_factory=list, description="fields that the model does not predict from; not there when there are none"
    )


BODY = request_body(
    "JSON: `rows`. CSV: a header with the features' names, cells as in an upload; answered in CSV. Raw float32, "
    "little-endian: the features' numbers row by row, arrays in C order; for models whose features are all numbers. A "
    "picture: one row, for models that learned from pictures; in JSON a picture is text, as base64 or a data URL.",
    {JSON: RowsBody, CSV: {**TEXT, "maxLength": MOST_TEXT}, FLOATS: BINARY, **dict.fromkeys(PICTURES, BINARY)},
    examples=EXAMPLES,
)
ANSWERS: Responses = {
    200: {
        "headers": {
            "Trainshed-Model": {"schema": {"type": "string"}, "description": "name@version that answered"},
            "Ignored-Columns": {
                "schema": {"type": "string"},
                "description": "of CSV and float32: columns that the model does not predict from, percent-encoded",
            },
        },
        "content": {CSV: {"schema": TEXT}, FLOATS: {"schema": BINARY}},
    }
}


class RowsExchange(NamedTuple):
    """Rows in a body of one of three media types, or a picture, and predictions in one of three forms."""

    kind: str
    form: str
    body: bytes
    top_k: int | None

    def rows(self, model: Model) -> formats.Rows:
        return rows_of(model, self.kind, self.body)

    def refusal(self, model: Model, rows: formats.Rows, error: RowError) -> RequestRefused:
        if self.kind == JSON and isinstance(rows, np.ndarray):
            try:  # rows as they were sent, not an array that was made of them
                model.read(read_json(self.body))
            except RowError as found:
                error = found
        return formats.refused(error)

    def content(self, resolved: Resolved, predicted: formats.Predicted, marks: RowMarks) -> Content:
        model = resolved.model
        if self.form == CSV:
            body = formats.as_csv(model, predicted, marks, self.top_k, resolved.serving.threshold)
        elif self.form == FLOATS:
            body = formats.as_floats(predicted)
        else:
            about = {"model": resolved.name, "version": resolved.version}
            body = formats.as_json(model, predicted, marks, self.top_k, about, resolved.serving.threshold)
        headers = [(b"trainshed-model", f"{resolved.name}@{resolved.version}".encode()), CONTENT_TYPES[self.form]]
        if marks.ignored and self.form != JSON:
            headers.append((b"ignored-columns", ", ".join(map(quote, marks.ignored)).encode()))
        return Content(body, *headers)


@router.post(
    "/{name}/predict",
    response_model=ModelPredictions,
    responses={**ANSWERS, **documented(400, 404, 413, 415, 422)},
    openapi_extra=BODY,
)
async def predict_with_model(request: Request, name: ModelName, query: Annotated[PredictQuery, Query()]) -> Response:
    """Predict with the newest version of a model, or with the one that `alias` or `version` means.

    The answer comes as the rows did, JSON, CSV or, if `Accept` names application/octet-stream, float32.
    """
    reference = meant(query.alias, query.version)
    pipeline = pipeline_of(request)
    resolved = await pipeline.resolver.resolve(backend_of(request), name, reference)
    kind = media_type(request)
    form = answer_form(request, kind)
    body = await read_body(request, pipeline.max_bytes)
    if kind in (JSON, CSV) and len(body) > MOST_TEXT:
        raise body_too_large(MOST_TEXT, "Content Too Large")
    if kind == CSV and (charset := charset_of(header(request.scope, b"content-type") or b"")):
        body = in_utf8(body, charset)
    refuse_top_k_of_values(resolved.model, query.top_k)
    resolved = decided_by(resolved, query.threshold)
    exchange = RowsExchange(kind, form, body, query.top_k)
    decodes = len(body) <= SMALL and may_hold_pictures(resolved.model, kind, body)
    return await pipeline.predict(resolved, exchange, len(body), decodes=decodes)


def decided_by(resolved: Resolved, threshold: float | None) -> Resolved:
    """The model with the threshold that a request asks for; refused where it has nothing to decide with one."""
    target = resolved.model.network.target
    if threshold is not None and (why := refusal_of_threshold(target.kind, len(target.labels))) is not None:
        raise invalid([Fault(pointer="/threshold", part="query", detail=why)], detail=f"a threshold {why}")
    return resolved.decided_by(threshold)


def refuse_top_k_of_values(model: Model, top_k: int | None) -> None:
    """Numbers have no rank."""
    if top_k is not None and model.network.target.kind == "values":
        fault = Fault(
            pointer="/top_k", part="query", detail="picks labels, and this model predicts values; leave it out"
        )
        raise invalid([fault], detail=fault.detail)


def media_type(request: Request) -> str:
    """What the body says that it is."""
    sent = header(request.scope, b"content-type") or b""
    kind = JSON if sent == b"application/json" else essence(sent.decode("latin-1"))
    if kind not in (JSON, CSV, FLOATS) and not is_picture(kind):
        raise unsupported(kind, (JSON, CSV, FLOATS, *PICTURES))
    return kind


def answer_form(request: Request, kind: str) -> str:
    """What the answer is to be: what `Accept` names, or what suits the body."""
    accepted = header(request.scope, b"accept")
    if accepted is None or accepted == b"*/*":
        return CSV if kind == CSV else JSON
    for form, name in FORMS:
        if name in accepted:
            return form
    return CSV if kind == CSV else JSON
