"""Cells of text in rows to predict: typed as the columns of an upload are, so that the same file means the same."""

import math

from engine.data.encoding.conversions import NO, YES, number_label
from engine.data.encoding.encoders import AnyEncoder, BooleanEncoder, NumberEncoder, TensorEncoder
from engine.data.formats.cell_values import YES_NO, is_missing, number_in
from engine.errors import DataError

Cell = str | float | None


def typed(encoder: AnyEncoder, cell: str) -> Cell:
    """What a cell stands for in this column; a cell that stands for nothing there is left for the encoder to refuse.

    Raises DataError for a column of arrays, which no cell can hold.
    """
    if isinstance(encoder, TensorEncoder):
        raise DataError(f"{encoder.name!r} takes an array, which no cell of CSV holds; send JSON or raw float32")
    if is_missing(cell):
        return None
    number = number_in(cell)
    if isinstance(encoder, NumberEncoder):
        return cell if number is None else number
    if isinstance(encoder, BooleanEncoder):
        said = cell.strip().lower() in YES | NO
        return cell if said or number is None else number
    if cell in encoder.labels:
        return cell
    if number is not None and math.isfinite(number):
        label = number_label(number)
        return label if label in encoder.labels else cell
    lower = cell.strip().lower()  # True and TRUE are true
    return lower if lower in YES_NO and lower in encoder.labels else cell
