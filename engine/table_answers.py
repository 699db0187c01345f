"""A model's answers to a whole table, some rows at a time: a million rows in the memory of a thousand."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.data.encoding.column_encoder import MOST_CELLS
from engine.data.encoding.encoders import TensorEncoder
from engine.data.encoding.row_reading import RowMarks, read_table
from engine.data.formats.images.picture_reading import upload_like
from engine.data.reading.unreadable import UnreadableRows
from engine.data.table import Table
from engine.errors import DataError, RowError
from engine.model import Model
from engine.spelling import did_you_mean, nearest

VALUES = 1 << 20  # inputs and hidden units at a time


@dataclass(frozen=True)
class Survey:
    """What is to be said of the rows of a table: the kinds of marks that there are, and unused columns."""

    kinds: tuple[str, ...]
    ignored: tuple[str, ...]


def check_columns(model: Model, table: Table) -> None:
    """Raise DataError unless the table can be predicted: arrays are there and fit, and no name is misspelled."""
    preprocessor = model.preprocessor
    others = [name for name in table.columns if name not in preprocessor.shapes]
    absent = [encoder.name for encoder in preprocessor.encoders if encoder.name not in table.columns]
    for encoder in preprocessor.encoders:
        name = encoder.name
        if name in absent and (
            isinstance(encoder, TensorEncoder) or len(absent) == len(preprocessor.shapes) or nearest(name, others)
        ):
            raise DataError(
                f"there is no column {name!r}, which the model predicts from. {did_you_mean(name, table.columns)}"
            )
        if name not in absent and table.shapes[name] != encoder.shape:
            pictures = isinstance(encoder, TensorEncoder) and encoder.picture
            raise DataError(
                f"column {name!r} has the shape {table.shapes[name]}; the model takes {encoder.shape}"
                + (f"; {upload_like(encoder.shape)}, if they are pictures" if pictures else "")
            )


def unknown_columns(model: Model, table: Table) -> list[str]:
    """The columns that a model neither predicts from nor predicts."""
    known = {*model.preprocessor.shapes, model.preprocessor.target.name}
    return [name for name in table.columns if name not in known]


def survey(model: Model, table: Table) -> Survey:
    """Read all cells that a model predicts from; DataError names the first rows and fields that cannot be read."""
    check_columns(model, table)
    encoders = [encoder for encoder in model.preprocessor.encoders if not isinstance(encoder, TensorEncoder)]
    ignored = unknown_columns(model, table)
    kinds: dict[str, None] = {}
    faults: list[RowError] = []
    for start, block in _blocks(model, table, [encoder.name for encoder in encoders]) if encoders else ():
        try:
            kinds |= dict.fromkeys(read_table(encoders, block, start).marks().by_kind)
        except UnreadableRows as bad:
            faults += bad.faults
            if len(faults) >= MOST_CELLS:
                break
    if faults:
        raise DataError("; ".join(fault.detail for fault in faults[:MOST_CELLS]))
    return Survey(tuple(kind for kind in ("filled", "unseen", "outside") if kind in kinds), tuple(ignored))


def answers_of(model: Model, table: Table) -> Iterator[tuple[NDArray[np.floating], RowMarks]]:
    """Answers (rows × C or rows × k) in the table's order, in blocks, each with what is to be said of its rows.

    DataError as in `Model.predict`, for a cell that cannot be read or numbers that are too large.
    """
    check_columns(model, table)
    dtype = model.parameters.theta.dtype
    for start, block in _blocks(model, table, list(model.preprocessor.shapes)):
        read = read_table(model.preprocessor.encoders, block, start)
        answers = model.answers(model.preprocessor.inputs(read, dtype))
        if not np.isfinite(answers).all():
            row = start + int(np.argwhere(~np.isfinite(answers))[0][0])
            raise DataError(f"row {row} holds numbers too large for this model; scale them down")
        yield answers, read.marks()


def _blocks(model: Model, table: Table, names: list[str]) -> Iterator[tuple[int, Table]]:
    """The features of some rows at a time in memory, and the number of the first."""
    present = [name for name in names if name in table.columns]
    features = table.select(present or list(table.columns)[:1])
    step = max(1, VALUES // max(model.network.widths))
    for start in range(0, table.rows, step):
        yield start, features.take(slice(start, start + step)).read()
