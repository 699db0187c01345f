"""Rows to predict from, as they arrive in a body: JSON, CSV or raw float32."""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from engine import DataError, Model
from service.http import fast_json
from service.http.request_bodies import validated
from service.predictions.csv_rows import read_rows
from service.predictions.formats import Rows
from service.predictions.pictures import is_picture, read_picture

JSON, CSV, FLOATS = "application/json", "text/csv", "application/octet-stream"
MOST_ROWS = 100_000


class RowsBody(BaseModel):
    """Rows to predict from, each an object keyed by feature name or a plain array in the features' order."""

    model_config = ConfigDict(extra="forbid")

    rows: list[dict[str, JsonValue] | list[JsonValue]] = Field(min_length=1, max_length=MOST_ROWS)


def rows_of(model: Model, kind: str, body: bytes) -> Rows:
    """The rows of a body of one of the three media types, or of a picture's; raises RequestRefused, DataError."""
    if is_picture(kind):
        return read_picture(model, body)
    if kind == CSV:
        return read_rows(body, model.preprocessor, MOST_ROWS)
    if kind == FLOATS:
        return read_floats(model, body)
    return read_json(body) if (numbers := read_numbers(model, body)) is None else numbers


def read_json(body: bytes) -> list[Any]:
    """The rows of a JSON body; raises RequestRefused as every JSON body does."""
    document = fast_json.read(body)
    if isinstance(document, dict) and document.keys() == {"rows"}:
        rows = document["rows"]
        if isinstance(rows, list) and 0 < len(rows) <= MOST_ROWS and all(type(row) in (dict, list) for row in rows):
            return rows
    validated(RowsBody, document)  # which says what is wrong
    raise AssertionError("the model of the body takes what the shorter way refuses")


def read_floats(model: Model, body: bytes) -> NDArray[np.float32]:
    """Rows of raw numbers."""
    size = sum(map(prod, model.preprocessor.shapes.values()))
    if not body or len(body) % (4 * size):
        raise DataError(
            f"the body has {len(body)} bytes; a row is {size} float32, {4 * size} bytes, and the body whole rows"
        )
    return np.frombuffer(body, "<f4").reshape(-1, size)


def read_numbers(model: Model, body: bytes) -> NDArray[np.generic] | None:
    """The rows of a JSON body as one array, in a fraction of the time, where they are plain numbers and nothing else.

    None for any others. What is wrong with rows is said of those that `read_json` reads.
    """
    # of true, false and null: one search for each letter takes a tenth of the time of one for all
    if not model.preprocessor.is_plain or body.count(b'"') != 2 or b"t" in body or b"f" in body or b"n" in body:
        return None
    document = fast_json.parsed(body)
    rows = document["rows"] if isinstance(document, dict) and document.keys() == {"rows"} else None
    if not isinstance(rows, list) or not 0 < len(rows) <= MOST_ROWS or any(type(row) is not list for row in rows):
        return None
    try:
        array = _array(rows, whole=not (b"." in body or b"e" in body or b"E" in body))
    except (ValueError, OverflowError, TypeError):  # rows of several lengths, nested unequally, or huge numbers
        return None
    nested = [shape for shape in model.preprocessor.shapes.values() if shape]
    return array if array.ndim == 2 or [array.shape[1:]] == nested else None


def _array(rows: list[list[Any]], *, whole: bool) -> NDArray[np.generic]:
    """The ways differ in speed, and Python's integers become floats slowly."""
    if len(rows) > 1 or not rows[0] or type(rows[0][0]) is list:
        return np.array(rows, np.int64 if whole else np.float64)
    (row,) = rows
    if whole and 0 <= row[0] < 256 and 0 <= row[-1] < 256:
        try:
            return np.frombuffer(bytes(row), np.uint8).reshape(1, -1)  # pixels
        except ValueError:  # one in between is none
            pass
    return np.fromiter(row, np.int64 if whole else np.float64, len(row)).reshape(1, -1)
