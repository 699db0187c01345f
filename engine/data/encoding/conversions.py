"""Stored values of one type read as another, as a spec may ask: a postcode as a category, yes and no as booleans."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.column_types import AnyColumnType, BooleanType, CategoryType, NumberType, TensorType, TextType
from engine.data.formats.cell_values import number_in
from engine.errors import DataError

Values = NDArray[Any]

YES = frozenset(("true", "yes", "y", "t", "1", "on"))
NO = frozenset(("false", "no", "n", "f", "0", "off"))


def as_number(name: str, values: Values, held: AnyColumnType) -> Values:
    """Numbers; what is no number is NaN."""
    match held:
        case CategoryType() | TextType():
            return _looked_up(values, _numbers(_kept(name, held)))
        case TensorType():
            raise DataError(f"column {name!r} holds an array a row, which is no number")
        case _:
            return values


def as_boolean(name: str, values: Values, held: AnyColumnType) -> Values:
    """0, 1 and NaN; DataError for anything that says neither yes nor no."""
    match held:
        case CategoryType() | TextType():
            return _looked_up(values, _booleans(name, _kept(name, held)))
        case TensorType():
            raise DataError(f"column {name!r} holds an array a row, which is neither true nor false")
        case _:
            values = values.astype(np.float64)
            strange = values[~((values == 0) | (values == 1) | np.isnan(values))]
            if strange.size:
                raise DataError(f"column {name!r} holds {strange[0]:g}, which is neither true (1) nor false (0)")
            return values


def as_category(name: str, values: Values, held: AnyColumnType) -> tuple[Values, tuple[str, ...]]:
    """Places in labels, and the labels; a number's label is the number without needless digits."""
    match held:
        case CategoryType() | TextType():
            return values, _kept(name, held)
        case BooleanType():
            return np.where(np.isnan(values), -1, values).astype(np.int32), ("false", "true")
        case TensorType():
            raise DataError(f"column {name!r} holds an array a row, which is no category")
        case NumberType():
            known, codes = np.unique(values, return_inverse=True)
            if known.size and known[-1] != known[-1]:  # NaN, which sorts last
                codes = np.where(codes == len(known) - 1, -1, codes)
                known = known[:-1]
            return codes.astype(np.int32), tuple(map(number_label, known.tolist()))


def number_label(number: float) -> str:
    return str(int(number)) if number == int(number) else repr(number)


def _kept(name: str, held: CategoryType | TextType) -> tuple[str, ...]:
    if held.labels is None:
        raise DataError(f"column {name!r} holds too many different words to be kept; they cannot be predicted from")
    return held.labels


def _looked_up(codes: Values, meaning: Values) -> Values:
    found: Values = meaning[codes]  # the last entry is that of -1
    return found


@lru_cache(maxsize=64)
def _numbers(labels: tuple[str, ...]) -> Values:
    found = [number_in(label) for label in labels]
    return np.array([np.nan if n is None or not np.isfinite(n) else n for n in found] + [np.nan])


@lru_cache(maxsize=64)
def _booleans(name: str, labels: tuple[str, ...]) -> Values:
    meaning = []
    for label in labels:
        word = label.strip().lower()
        if word not in YES | NO:
            raise DataError(f"column {name!r} holds {label[:40]!r}, which is neither true nor false")
        meaning.append(float(word in YES))
    return np.array([*meaning, np.nan])
