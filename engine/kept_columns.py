"""Kept columns: what a batch prediction copies from its dataset, so that the result can be joined to it again."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.answer_columns import Columns, answer_columns
from engine.data.column_types import AnyColumnType, BooleanType, NumberType, TensorType
from engine.data.reading.cell_values import EXACT, number_label
from engine.data.table import Table
from engine.errors import DataError
from engine.model import Model
from engine.spelling import did_you_mean

Values = NDArray[Any]
MARKS = ("filled", "unseen", "outside")


def identifying_columns(model: Model, table: Table) -> tuple[str, ...]:
    """The columns that a model predicts nothing from and whose values all differ: names, numbers, codes of rows."""
    taken = _taken(model)
    others = [name for name in table.columns if name not in model.preprocessor.shapes and name not in taken]
    return tuple(name for name in others if name != model.preprocessor.target.name and _identifies(table, name))


def check_kept(model: Model, table: Table, names: Sequence[str]) -> None:
    """Raise DataError unless each of these columns can be copied into a result."""
    taken = _taken(model)
    for place, name in enumerate(names):
        if name not in table.columns:
            raise DataError(f"there is no column {name!r}. {did_you_mean(name, table.columns)}")
        if name in names[:place]:
            raise DataError(f"column {name!r} is named twice")
        if name in taken:
            raise DataError(f"column {name!r} would stand twice in the result, which has one of this name")
        if (why := _unwritable(table, name)) is not None:
            raise DataError(f"column {name!r} {why}, and cannot be kept")


def column_writers(table: Table, names: Sequence[str]) -> dict[str, Callable[[Values], Values]]:
    """What makes of stored values of each column those of the result: numbers where none is missing, else texts."""
    return {name: _writer(table.types[name], table.whole(name)) for name in names}


def kept_columns(writers: dict[str, Callable[[Values], Values]], table: Table, rows: slice) -> Columns:
    """The columns of some rows."""
    return {name: write(table.columns[name][rows]) for name, write in writers.items()}


def _taken(model: Model) -> set[str]:
    """The names that the columns of answers have."""
    return {*answer_columns(model, np.zeros((1, model.preprocessor.n_out), np.float32)), *MARKS}


def _unwritable(table: Table, name: str) -> str | None:
    held = table.types[name]
    if isinstance(held, TensorType):
        return "holds arrays"
    if held.kind == "text" and held.labels is None:
        return "holds more different texts than a dataset keeps"
    return None


def _identifies(table: Table, name: str) -> bool:
    if _unwritable(table, name) is not None:
        return False
    values = table.whole(name)
    return not table.types[name].missing(values).any() and len(np.unique(values)) == table.rows


def _writer(held: AnyColumnType, values: Values) -> Callable[[Values], Values]:
    if isinstance(held, TensorType):
        raise TypeError("an array is no cell")
    if held.labels is not None:  # as it stood in the file

        def spelled(codes: Values) -> Values:
            places, texts = held.texts(codes)
            return np.array([*texts, ""], object)[places]

        return spelled
    missing = held.missing(values).any()
    if isinstance(held, BooleanType):
        return (lambda part: _texts(part, lambda value: "true" if value else "false")) if missing else _truths
    if isinstance(held, NumberType) and missing:
        return lambda part: _texts(part, number_label)
    whole = bool(np.all((np.abs(values) <= EXACT) & (values == np.floor(values))))
    return (lambda part: part.astype(np.int64)) if whole else (lambda part: part.astype(np.float64))


def _truths(values: Values) -> Values:
    return values.astype(bool)


def _texts(values: Values, text: Callable[[float], str]) -> Values:
    return np.array(["" if value != value else text(value) for value in values.tolist()], object)
