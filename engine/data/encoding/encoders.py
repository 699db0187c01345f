"""How each kind of column becomes inputs of the network: learned on the training rows, kept in the model.

An encoder fills its own inputs of a block of rows. The first `scaled` of them are then normalized; inputs that
only say yes or no stay 0 and 1. It also says what values of a row sent for prediction are stored as, so that
such a row goes through the very same code.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine.component import Component
from engine.data.column_types import AnyColumnType, BooleanType, CategoryType, NumberType
from engine.data.encoding.column_options import BooleanColumn, CategoryColumn, NumberColumn
from engine.data.encoding.conversions import NO, YES, as_boolean, as_category, as_number, number_label
from engine.data.formats.cell_values import is_missing
from engine.data.formats.picture_reading import PictureReading

Values = NDArray[Any]
Inputs = NDArray[np.float64]
Stored = tuple[Values, AnyColumnType]


class TensorEncoder(Component):
    """An array a row, flattened in C order."""

    type: Literal["tensor"] = "tensor"
    name: str
    shape: tuple[int, ...]
    picture: PictureReading | None = None
    booleans: bool = False
    indicator: Literal[False] = False

    @property
    def width(self) -> int:
        return prod(self.shape)

    @property
    def scaled(self) -> int:
        return self.width

    def option(self) -> None:
        """What a spec would say of the column; None where nothing may be said."""
        return None

    def names(self) -> list[str]:
        """What each input is called."""
        return [f"{self.name}[{place}]" for place in range(self.width)]

    def fill(self, values: Values, held: AnyColumnType, out: Inputs) -> None:
        """Put the inputs of some rows into `out`, (rows, width)."""
        out[:] = values.reshape(len(values), -1)


class OneInput(Component):
    """A column that is one input, and another one that is 1 where it is missing if training rows lacked it."""

    name: str
    fill_with: float = 0.0
    indicator: bool = False

    @property
    def width(self) -> int:
        return 1 + self.indicator

    @property
    def shape(self) -> tuple[int, ...]:
        return ()

    def names(self) -> list[str]:
        """What each input is called."""
        return [self.name, *([f"{self.name} is missing"] if self.indicator else [])]

    def impute(self, values: Values, out: Inputs) -> None:
        """Put values, NaN where they are missing, into `out`, (rows, width)."""
        missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)
        out[:, 0] = values
        out[missing, 0] = self.fill_with
        if self.indicator:
            out[:, 1] = missing


class NumberEncoder(OneInput):
    """A number, and where training rows lacked it another input that is 1 for those that do."""

    type: Literal["number"] = "number"

    @property
    def scaled(self) -> int:
        return 1

    def option(self) -> NumberColumn:
        return NumberColumn()

    def fill(self, values: Values, held: AnyColumnType, out: Inputs) -> None:
        self.impute(as_number(self.name, values, held), out)

    def stored(self, values: Sequence[Any]) -> Stored:
        """The values of rows to predict as a column; ValueError with what it takes, and the place as argument."""
        found = np.empty(len(values))
        for place, value in enumerate(values):
            if _is_absent(place, value, self.indicator, "a number"):
                found[place] = np.nan
            elif type(value) is bool or not isinstance(value, int | float | np.number):
                raise BadValue(place, f"holds {shown(value)}; it takes numbers")
            else:
                try:
                    found[place] = value
                except OverflowError:
                    raise BadValue(place, "holds an integer beyond float64; send a smaller one") from None
                if not math.isfinite(found[place]):
                    raise BadValue(place, "holds NaN or infinity; send finite numbers")
        return found, NumberType()


class BooleanEncoder(OneInput):
    """1 for true, 0 for false; not scaled."""

    type: Literal["boolean"] = "boolean"

    @property
    def scaled(self) -> int:
        return 0

    def option(self) -> BooleanColumn:
        return BooleanColumn()

    def fill(self, values: Values, held: AnyColumnType, out: Inputs) -> None:
        self.impute(as_boolean(self.name, values, held), out)

    def stored(self, values: Sequence[Any]) -> Stored:
        found = np.empty(len(values))
        for place, value in enumerate(values):
            word = value.strip().lower() if isinstance(value, str) else ""
            if _is_absent(place, value, self.indicator, "true or false"):
                found[place] = np.nan
            elif word in YES | NO:
                found[place] = word in YES
            elif isinstance(value, int | float) and value in (0, 1):
                found[place] = value
            else:
                raise BadValue(place, f"holds {shown(value)}; it takes true or false")
        return found, BooleanType()


class OneHotEncoder(Component):
    """An input a label, one for labels never seen in training, and perhaps one for missing values; not scaled."""

    type: Literal["one_hot"] = "one_hot"
    name: str
    labels: tuple[str, ...]
    fill_with: int = 0  # the place of the most frequent label
    indicator: bool = False

    @property
    def width(self) -> int:
        return len(self.labels) + 1 + self.indicator

    @property
    def scaled(self) -> int:
        return 0

    @property
    def shape(self) -> tuple[int, ...]:
        return ()

    def option(self) -> CategoryColumn:
        return CategoryColumn()

    def names(self) -> list[str]:
        names = [*(f"{self.name} = {label}" for label in self.labels), f"{self.name} is unseen"]
        return names + [f"{self.name} is missing"] * self.indicator

    def fill(self, values: Values, held: AnyColumnType, out: Inputs) -> None:
        codes, labels = as_category(self.name, values, held)
        places = _places(self.labels, labels, len(self.labels))[codes]
        missing = places < 0
        out[:] = 0
        out[np.arange(len(out)), np.where(missing, self.fill_with, places)] = 1
        if self.indicator:
            out[:, -1] = missing

    def stored(self, values: Sequence[Any]) -> Stored:
        return _words(self.labels, values, self.indicator)


class OrdinalEncoder(OneInput):
    """How far along an order a label is, from 0; a label that is not in the order counts as missing."""

    type: Literal["ordinal"] = "ordinal"
    labels: tuple[str, ...]

    @property
    def scaled(self) -> int:
        return 1

    def option(self) -> CategoryColumn:
        return CategoryColumn(encoding="ordinal", order=self.labels)

    def fill(self, values: Values, held: AnyColumnType, out: Inputs) -> None:
        codes, labels = as_category(self.name, values, held)
        places = _places(self.labels, labels, -1)[codes]
        self.impute(np.where(places < 0, np.nan, places), out)

    def stored(self, values: Sequence[Any]) -> Stored:
        return _words(self.labels, values, self.indicator)


TableEncoder = NumberEncoder | BooleanEncoder | OneHotEncoder | OrdinalEncoder
AnyEncoder = TensorEncoder | TableEncoder
Encoder = Annotated[AnyEncoder, Field(discriminator="type")]


class BadValue(ValueError):
    """A value sent for prediction is none of its column's; the place is that of its row."""

    def __init__(self, place: int, detail: str) -> None:
        super().__init__(detail)
        self.place = place
        self.detail = detail


def shown(value: Any) -> str:
    """A quotation short enough for a message."""
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:40] + "…")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return f"an array of {len(value)}"
    return "an object" if isinstance(value, dict) else "a number"


def _is_absent(place: int, value: Any, nullable: bool, wanted: str) -> bool:
    """Whether nothing was sent; BadValue where every training row had a value, so that nothing can stand in."""
    if value is not None and not (isinstance(value, str) and is_missing(value)):
        return False
    if not nullable:
        raise BadValue(place, f"holds {shown(value)}, but no training row lacks it; send {wanted}")
    return True


def _words(known: tuple[str, ...], values: Sequence[Any], nullable: bool) -> Stored:
    """A column of the labels sent; a number is taken for its label only where training had it."""
    places = {label: place for place, label in enumerate(known)}
    codes = np.empty(len(values), np.int32)
    for place, value in enumerate(values):
        if _is_absent(place, value, nullable, "a label"):
            codes[place] = -1
            continue
        label = _label(value)
        if label is None or not (isinstance(value, str) or label in places):
            wanted = f"text such as {known[0]!r}" if known else "text"
            raise BadValue(place, f"holds {'' if label is None else label + ', '}{shown(value)}; it takes {wanted}")
        codes[place] = places.setdefault(label, len(places))
    return codes, CategoryType(labels=tuple(places))


def _label(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float) and math.isfinite(value):
        return number_label(value)
    return value if isinstance(value, str) else None


@lru_cache(maxsize=256)
def _places(known: tuple[str, ...], labels: tuple[str, ...], unseen: int) -> NDArray[np.int64]:
    """The place among the known of every label; the last entry is -1, for what is missing."""
    places = {label: place for place, label in enumerate(known)}
    return np.array([*(places.get(label, unseen) for label in labels), -1], np.int64)
