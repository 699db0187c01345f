"""Arrays in rows to predict: numbers nested in their shape or flat, true and false, or a picture that is one."""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.encoding.column_encoder import shown
from engine.data.encoding.encoders import TensorEncoder
from engine.data.formats.images.picture import PixelBudget, picture_in
from engine.errors import DataError, RowError

Array = NDArray[np.float64]
NO_PICTURES = (
    "this model did not learn from pictures, so nothing says which number a pixel is: send the numbers, or learn from "
    "zipped images or an NPZ of uint8"
)


def array_sent(number: int, field: str, value: Any, encoder: TensorEncoder, budget: PixelBudget | None = None) -> Array:
    """The numbers of the value of a column of arrays, in C order; RowError for what is none."""
    if not isinstance(value, str | bytes):
        return flat_numbers(number, field, value, encoder.shape, booleans=encoder.booleans)
    where = f"row {number}" + (f", field {field!r}" if field else "")
    if encoder.picture is None:
        raise RowError(number, field, f"{where} holds text or a picture; {NO_PICTURES}")
    try:
        return picture_in(value, encoder.shape, encoder.picture, budget).reshape(-1).astype(np.float64)
    except DataError as error:
        raise RowError(number, field, f"{where}: {error}") from None


def holds_value(row: Any, encoder: TensorEncoder) -> bool:
    """Whether a row of a single array is a list of it, rather than the array itself."""
    if len(row) != 1:
        return False
    return isinstance(row[0], str | bytes) or (isinstance(row[0], list | tuple) and encoder.shape[0] != 1)


def flat_numbers(number: int, field: str, value: Any, shape: tuple[int, ...], *, booleans: bool = False) -> Array:
    """The numbers of one value in C order, given nested in its shape or flat; RowError for anything else."""
    where = f"row {number}" + (f", field {field!r}" if field else "")
    size = prod(shape)
    values = value.tolist() if isinstance(value, np.ndarray) else value
    level: list[Any] = [values]
    is_flat = bool(shape) and _length(values) == size and _length(values[0]) < 0
    for extent in (size,) if is_flat else shape:
        if not all(_length(item) == extent for item in level):
            wanted = "x".join(map(str, shape)) + " numbers" + (", nested or flat" if len(shape) > 1 else "")
            raise RowError(number, field, f"{where} is {shown(value)}; it takes an array of {wanted}")
        level = [leaf for item in level for leaf in item]
    strange = {
        kind
        for kind in map(type, level)
        if not issubclass(kind, int | float | np.number) or (kind is bool and not booleans)
    }
    if strange:
        wrong = next(leaf for leaf in level if type(leaf) in strange)
        raise RowError(number, field, f"{where} holds {shown(wrong)}; it takes numbers")
    try:
        flat = np.array(level, np.float64)
    except OverflowError:
        raise RowError(number, field, f"{where} holds an integer beyond float64; send a smaller one") from None
    if not np.isfinite(flat).all():
        raise RowError(number, field, f"{where} holds NaN or infinity; send finite numbers")
    return flat


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list | tuple) else -1
