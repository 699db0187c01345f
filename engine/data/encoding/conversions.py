"""Stored values of one type read as another, as a spec may ask: a postcode as a category, yes and no as booleans."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.column_types import AnyColumnType, BooleanType, CategoryType, Labels, NumberType, TensorType, TextType
from engine.data.reading.cell_reading import CellReading, numbers_of, truths_of
from engine.data.reading.cell_values import number_label, shown
from engine.data.reading.unreadable import UnreadableCells
from engine.errors import DataError

Values = NDArray[Any]
Places = NDArray[np.intp]

TRUTH = ("false", "true")


def texts_of(name: str, values: Values, held: AnyColumnType) -> tuple[Places, Labels]:
    """Every value's place among some texts, -1 for blank and null, and the texts as they stood in the file.

    Of a column that is not spelled they are the shortest that mean its values.
    """
    match held:
        case TensorType():
            raise DataError(f"column {name!r} holds an array a row, which is no category")
        case TextType(labels=None):
            raise DataError(f"column {name!r} holds too many different words to be kept; they cannot be predicted from")
        case NumberType(labels=None):
            known, places = np.unique(values, return_inverse=True)
            if known.size and known[-1] != known[-1]:  # NaN, which sorts last
                places = np.where(places == len(known) - 1, -1, places)
                known = known[:-1]
            return places.astype(np.intp), tuple(map(number_label, known.tolist()))
        case BooleanType(labels=None):
            return np.where(np.isnan(values), -1, values).astype(np.intp), TRUTH
        case _:
            return held.texts(values)


def as_number(name: str, values: Values, held: AnyColumnType, reading: CellReading | None = None) -> Values:
    """Numbers, NaN where they are missing; UnreadableCells for what is none."""
    if isinstance(held, TensorType):
        raise DataError(f"column {name!r} holds an array a row, which is no number")
    reading = held.reading if reading is None else reading
    if isinstance(held, NumberType) and held.labels is None:
        return np.where(np.isin(values, reading.missing_numbers), np.nan, values) if reading.missing_numbers else values
    if isinstance(held, BooleanType) and held.labels is None and reading.truth:
        return values
    places, texts = texts_of(name, values, held)
    numbers, unreadable = numbers_of(reading, texts)
    _refuse(name, places, texts, unreadable, "numbers")
    found: Values = numbers[places]  # the last entry is that of -1
    return found


def as_boolean(name: str, values: Values, held: AnyColumnType, reading: CellReading | None = None) -> Values:
    """0, 1 and NaN; UnreadableCells for anything that says neither yes nor no."""
    if isinstance(held, TensorType):
        raise DataError(f"column {name!r} holds an array a row, which is neither true nor false")
    if isinstance(held, BooleanType) and held.labels is None:
        return values
    places, texts = texts_of(name, values, held)
    truths, unreadable = truths_of(held.reading if reading is None else reading, texts)
    _refuse(name, places, texts, unreadable, "true or false")
    found: Values = truths[places]
    return found


def as_category(name: str, values: Values, held: AnyColumnType) -> tuple[Values, Labels]:
    """Places in labels, -1 being missing, and the labels; a number's label is as it stood in the file."""
    if isinstance(held, CategoryType) and not held.markers:
        return values, held.labels
    places, texts = texts_of(name, values, held)
    if isinstance(held, TensorType) or not held.markers:
        return places.astype(np.int32), texts
    kept = len(texts) - len(held.markers)
    return np.where(places < kept, places, -1).astype(np.int32), texts[:kept]


def _refuse(name: str, places: Places, texts: Labels, unreadable: NDArray[np.bool_], takes: str) -> None:
    if not unreadable.any():
        return
    rows = np.flatnonzero(unreadable[places])
    if rows.size:
        cells = {int(row): f"holds {shown(texts[places[row]])}; it takes {takes}" for row in rows[:20]}
        raise UnreadableCells(name, cells, int(rows.size))
