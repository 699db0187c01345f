"""A model's answers to a whole table, some rows at a time: a million rows in the memory of a thousand."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engine.data.table import Table
from engine.errors import DataError
from engine.model import Model
from engine.spelling import did_you_mean

VALUES = 1 << 20  # inputs and hidden units at a time


def check_columns(model: Model, table: Table) -> None:
    """Raise DataError unless the table has every feature of the model, in the shape that it had in training."""
    for name, shape in model.preprocessor.shapes.items():
        if name not in table.columns:
            raise DataError(
                f"there is no column {name!r}, which the model predicts from. {did_you_mean(name, table.columns)}"
            )
        if table.shapes[name] != shape:
            raise DataError(f"column {name!r} has the shape {table.shapes[name]}; the model takes {shape}")


def answers_of(model: Model, table: Table) -> Iterator[NDArray[np.floating]]:
    """Answers (rows × C or rows × k) in the table's order, in blocks; other columns are passed over.

    DataError for a feature that is not there, and, as in `Model.predict`, for a row that lacks a value which no
    training row lacked, or whose numbers are too large.
    """
    check_columns(model, table)
    features = table.select(model.preprocessor.shapes)
    step = max(1, VALUES // max(model.network.widths))
    for start in range(0, table.rows, step):
        block = features.take(slice(start, start + step)).read()
        _check_complete(model, block, start)
        answers = model.answers(model.preprocessor.features(block, model.parameters.theta.dtype))
        if not np.isfinite(answers).all():
            row = start + int(np.argwhere(~np.isfinite(answers))[0][0])
            raise DataError(f"row {row} holds numbers too large for this model; scale them down")
        yield answers


def _check_complete(model: Model, block: Table, start: int) -> None:
    for encoder in model.preprocessor.encoders:
        if encoder.indicator:
            continue
        missing = np.flatnonzero(block.types[encoder.name].missing(block.whole(encoder.name)))
        if missing.size:
            row = start + int(missing[0])
            raise DataError(f"row {row} lacks {encoder.name!r}, which no training row lacked; fill it in")
