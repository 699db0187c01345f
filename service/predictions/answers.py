"""What a model answers to rows, in the form that was asked for, and what is said of rows that cannot be used."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from pydantic_core import to_json

from engine import Model, RowError
from engine.answer_columns import answer_columns, labels, likeliest
from engine.model import check_finite
from service.http.problems import MOST_FAULTS, Fault, RequestRefused
from service.predictions.csv_rows import write_columns

Row = Mapping[str, JsonValue] | Sequence[JsonValue]
Rows = Sequence[Row] | NDArray[np.generic]
Answers = NDArray[np.floating]


def predictions(model: Model, rows: Sequence[Row]) -> list[dict[str, object]]:
    """A prediction per row; raises `RequestRefused` that names every fault of every row, not just the first."""
    try:
        return model.predict(rows)
    except RowError as error:
        raise refused(model, rows, error) from error


def inputs_of(model: Model, rows: Rows) -> NDArray[np.floating]:
    """Prepared inputs of raw rows; raises as `predictions` does."""
    try:
        return model.inputs(rows)
    except RowError as error:
        raise refused(model, rows, error) from error


def answers_to(model: Model, rows: Rows) -> Answers:
    """What the network answers to raw rows; raises as `predictions` does."""
    try:
        return model.answers_to(rows)
    except RowError as error:
        raise refused(model, rows, error) from error


def refused(model: Model, rows: Rows, error: RowError) -> RequestRefused:
    """The refusal of rows of which one was met that cannot be used."""
    found = [error] if isinstance(rows, np.ndarray) else model.preprocessor.faults(rows, most=MOST_FAULTS) or [error]
    faults = [Fault(pointer=fault.pointer, part="body", detail=fault.detail) for fault in found]
    return RequestRefused(422, error.code, "A row cannot be used", str(found[0]), faults)


def as_json(name: str, version: int, model: Model, answers: Answers, top_k: int | None) -> bytes:
    """The predictions, and the model and version that made them."""
    found = model.predictions(answers) if top_k is None else list(likeliest_of(model, answers, top_k))
    document = {"model": name, "version": version, "predictions": found}
    return to_json(document)


def as_csv(model: Model, answers: Answers, top_k: int | None) -> bytes:
    """A line a row under a header."""
    check_finite(answers)
    return write_columns(answer_columns(model, answers, top_k))


def as_floats(answers: Answers) -> bytes:
    """float32, little-endian, row by row: probabilities in the order of the classes, or values."""
    check_finite(answers)
    return np.ascontiguousarray(answers, "<f4").tobytes()


def likeliest_of(model: Model, answers: Answers, top_k: int) -> list[dict[str, object]]:
    """The k likeliest labels of every row, the likeliest first."""
    check_finite(answers)
    known = labels(model)
    places = likeliest(answers, top_k)
    chosen = np.take_along_axis(answers, places, axis=1).astype(np.float64)
    several = model.network.target.kind == "multilabel"
    return [
        {
            **({} if several else {"label": names[0]}),
            "top": [{"label": label, "probability": p} for label, p in zip(names, row, strict=True)],
        }
        for names, row in zip(known[places].tolist(), chosen.tolist(), strict=True)
    ]
