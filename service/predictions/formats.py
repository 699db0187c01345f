"""The forms that predictions go out in, and what is said of rows that cannot be used."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from pydantic_core import to_json

from engine import Model, RowError
from engine.answer_columns import answer_columns, labels, likeliest, mark_columns
from engine.data.encoding.row_reading import NO_MARKS, RowMarks
from engine.data.reading.unreadable import UnreadableRows
from engine.model import check_finite
from engine.serving import chosen_classes
from service.http.problems import MOST_FAULTS, Fault, RequestRefused
from service.predictions.csv_rows import write_columns

Row = Mapping[str, JsonValue] | Sequence[JsonValue]
Rows = Sequence[Row] | NDArray[np.generic]
Predicted = NDArray[np.floating]
"""Probabilities or values, a row each."""

NOTHING: Mapping[str, object] = {}


def refused(error: RowError) -> RequestRefused:
    """The refusal of rows of which one was met that cannot be used."""
    found = error.faults if isinstance(error, UnreadableRows) else (error,)
    faults = [Fault(pointer=fault.pointer, part="body", detail=fault.detail) for fault in found[:MOST_FAULTS]]
    return RequestRefused(422, error.code, "A row cannot be used", str(found[0]), faults)


def as_json(
    model: Model,
    predicted: Predicted,
    marks: RowMarks,
    top_k: int | None = None,
    about: Mapping[str, object] = NOTHING,
    threshold: float | None = None,
) -> bytes:
    """The predictions with what is to be said of their rows, and what else is to be said about them before."""
    if top_k is None:
        found = model.predictions(predicted, marks, threshold)
    else:
        found = likeliest_of(model, predicted, top_k, threshold)
        for row in range(len(found)) if marks is not NO_MARKS else ():
            found[row] |= marks.of(row)
    if marks.ignored:
        about = {**about, "ignored": list(marks.ignored)}
    return to_json({**about, "predictions": found})


def as_csv(
    model: Model, predicted: Predicted, marks: RowMarks, top_k: int | None, threshold: float | None = None
) -> bytes:
    """A line a row under a header; what is to be said of rows in columns of its own."""
    check_finite(predicted)
    return write_columns(answer_columns(model, predicted, top_k, threshold) | mark_columns(marks, len(predicted)))


def as_floats(predicted: Predicted) -> bytes:
    """float32, little-endian, row by row: probabilities in the order of the classes, or values."""
    check_finite(predicted)
    return np.ascontiguousarray(predicted, "<f4").tobytes()


def likeliest_of(
    model: Model, predicted: Predicted, top_k: int, threshold: float | None = None
) -> list[dict[str, object]]:
    """The k likeliest labels of every row, the likeliest first, and the label that is decided for."""
    check_finite(predicted)
    known = labels(model)
    places = likeliest(predicted, top_k)
    chosen = np.take_along_axis(predicted, places, axis=1).astype(np.float64)
    several = model.network.target.kind == "multilabel"
    decided = None if several or threshold is None else known[chosen_classes(predicted, threshold)].tolist()
    return [
        {
            **({} if several else {"label": names[0] if decided is None else decided[number]}),
            "top": [{"label": label, "probability": p} for label, p in zip(names, row, strict=True)],
        }
        for number, (names, row) in enumerate(zip(known[places].tolist(), chosen.tolist(), strict=True))
    ]
