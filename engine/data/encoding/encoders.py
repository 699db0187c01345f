"""How each kind of column becomes inputs of the network: learned on the training rows, kept in the model.

An encoder reads the values of its column, stored in a dataset or sent in a request, by one `CellReading`, into one
number a row: a number, 0 or 1, the place of a label; NaN where nothing is there. From those it fills its own inputs.
The first `scaled` of them are then normalized; inputs that only say yes or no stay 0 and 1.
"""

import math
from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property, lru_cache
from math import prod
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine.component import Component
from engine.data.column_types import AnyColumnType, TensorType
from engine.data.encoding.column_encoder import MOST_CELLS, ColumnEncoder, Inputs, Read, Values, shown
from engine.data.encoding.column_options import BooleanColumn, CategoryColumn, NumberColumn
from engine.data.encoding.conversions import as_boolean, as_number, texts_of
from engine.data.encoding.date_encoder import DateEncoder
from engine.data.formats.images.picture_reading import PictureReading
from engine.data.reading.cell_reading import text_of, truth_in
from engine.data.reading.cell_values import EXACT
from engine.data.reading.label_places import label_places
from engine.data.reading.unreadable import UnreadableCells
from engine.errors import DataError


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

    def read(self, values: Values, held: AnyColumnType) -> Read:
        """The arrays as they are; DataError for pictures that were read otherwise."""
        there = held.picture if isinstance(held, TensorType) else None
        if self.picture and there and (unlike := self.picture.unlike(there)):
            raise DataError(f"column {self.name!r} holds {unlike}")
        return values

    def encode(self, read: Read, out: Inputs) -> None:
        """Put the inputs of some rows into `out`, (rows, width)."""
        out[:] = read.reshape(len(read), -1)


class OneInput(ColumnEncoder):
    """A column that is one input, and another one that is 1 where it is missing if training rows lacked it."""

    @property
    def width(self) -> int:
        return 1 + self.indicator

    def names(self) -> list[str]:
        """What each input is called."""
        return [self.name, *([f"{self.name} is missing"] if self.indicator else [])]

    def encode(self, read: Read, out: Inputs) -> None:
        """Put what was read of some rows into `out`, (rows, width)."""
        out[:, 0] = read
        if read.dtype.kind == "f":
            missing = np.isnan(read)
            out[missing, 0] = self.fill_with
            if self.indicator:
                out[:, 1] = missing
        elif self.indicator:
            out[:, 1] = 0


class NumberEncoder(OneInput):
    """A number, and where training rows lacked it another input that is 1 for those that do."""

    type: Literal["number"] = "number"
    low: float | None = None  # the least and the greatest number of the training rows
    high: float | None = None
    single: bool = True  # float32 tells all numbers of the training rows apart

    @property
    def scaled(self) -> int:
        return 1

    def option(self) -> NumberColumn:
        form = self.reading.number
        return NumberColumn(**form.model_dump(exclude_defaults=True))

    def read(self, values: Values, held: AnyColumnType) -> Read:
        """Stored values as numbers; raises UnreadableCells for what is none."""
        return as_number(self.name, values, held, self.reading)

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """Numbers beyond these are far outside the training range: by more than its width."""
        if self.low is None or self.high is None:
            return -math.inf, math.inf
        width = self.high - self.low
        return self.low - width, self.high + width

    def outside(self, read: Read) -> NDArray[np.bool_]:
        low, high = self.bounds
        found: NDArray[np.bool_] = (read < low) | (read > high)
        return found

    def _meaning(self, value: Any) -> float | None:
        if isinstance(value, str):
            return self.reading.number_in(value)
        if isinstance(value, bool | np.bool_):
            return float(value) if self.reading.truth else None
        if isinstance(value, int | np.integer):
            return float(value) if abs(int(value)) <= EXACT else None
        return float(value) if isinstance(value, float | np.floating) and math.isfinite(value) else None

    def _complaint(self, value: Any) -> str:
        if isinstance(value, int | np.integer) and not isinstance(value, bool):
            return f"holds {shown(str(value))}, an integer beyond 2^53, which float64 cannot hold; send a smaller one"
        if isinstance(value, float | np.floating):
            return "holds infinity; send finite numbers"
        return f"holds {shown(value)}; it takes numbers"


class BooleanEncoder(OneInput):
    """1 for true, 0 for false; not scaled."""

    type: Literal["boolean"] = "boolean"

    def option(self) -> BooleanColumn:
        return BooleanColumn()

    def read(self, values: Values, held: AnyColumnType) -> Read:
        """Stored values as 0 and 1; raises UnreadableCells for what says neither yes nor no."""
        return as_boolean(self.name, values, held, self.reading)

    def _meaning(self, value: Any) -> float | None:
        text = text_of(value)
        truth = None if text is None else truth_in(text)
        return None if truth is None else float(truth)

    def _complaint(self, value: Any) -> str:
        return f"holds {shown(value)}; it takes true or false"


class LabelEncoder(ColumnEncoder):
    """A column of labels, each by its place."""

    labels: tuple[str, ...]

    def read(self, values: Values, held: AnyColumnType) -> Read:
        """Places of labels; raises UnreadableCells for what can be no label here."""
        places, texts = texts_of(self.name, values, held)
        meanings = _places(type(self)._place, self, texts)
        read: Read = meanings[places]
        strange = np.flatnonzero(read == UNREADABLE)
        if strange.size:
            bad = {int(row): self._complaint(texts[places[row]]) for row in strange[:MOST_CELLS]}
            raise UnreadableCells(self.name, bad, int(strange.size))
        return read

    @abstractmethod
    def _place(self, text: str) -> float:
        """The place of the label that a text means; UNREADABLE where it can be none."""

    def _meaning(self, value: Any) -> float | None:
        text = text_of(value)
        place = UNREADABLE if text is None else self._place(text)
        return None if place == UNREADABLE else place

    def _complaint(self, value: Any) -> str:
        text = text_of(value)
        some = ", ".join(self.labels[:10])
        return f"holds {shown(value if text is None else text)}; it takes one of {some}"


class OneHotEncoder(LabelEncoder):
    """An input a label, and perhaps one for missing values; not scaled.

    A label that training never met is no label's 1 but the training rows' share of each: so it has no influence of its
    own, as it would have through the weights of an input that was 0 in every training row.
    """

    type: Literal["one_hot"] = "one_hot"
    shares: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        return len(self.labels) + self.indicator

    def option(self) -> CategoryColumn:
        return CategoryColumn()

    def names(self) -> list[str]:
        """What each input is called."""
        names = [f"{self.name} = {label}" for label in self.labels]
        return names + [f"{self.name} is missing"] * self.indicator

    def unseen(self, read: Read) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = read == len(self.labels)
        return found

    def encode(self, read: Read, out: Inputs) -> None:
        """Put what was read of some rows into `out`, (rows, width)."""
        missing = np.isnan(read)
        places = np.where(missing, self.fill_with, read).astype(np.intp)
        unseen = places == len(self.labels)
        out[:] = 0
        known = np.flatnonzero(~unseen)
        out[known, places[known]] = 1
        if len(known) < len(out):
            out[unseen, : len(self.labels)] = self.shares
        if self.indicator:
            out[:, -1] = missing

    def _place(self, text: str) -> float:
        place = label_places(self.labels).place(text)
        return len(self.labels) if place < 0 else place


class OrdinalEncoder(LabelEncoder, OneInput):
    """How far along an order a label is, from 0; a label that is not in the order cannot be read."""

    type: Literal["ordinal"] = "ordinal"

    @property
    def scaled(self) -> int:
        return 1

    def option(self) -> CategoryColumn:
        return CategoryColumn(encoding="ordinal", order=self.labels)

    def _place(self, text: str) -> float:
        place = label_places(self.labels).place(text)
        return UNREADABLE if place < 0 else place


TableEncoder = NumberEncoder | BooleanEncoder | OneHotEncoder | OrdinalEncoder | DateEncoder
AnyEncoder = TensorEncoder | TableEncoder
Encoder = Annotated[AnyEncoder, Field(discriminator="type")]

UNREADABLE = -1.0


@lru_cache(maxsize=256)
def _places(place: Callable[[Any, str], float], encoder: LabelEncoder, texts: tuple[str, ...]) -> NDArray[np.float64]:
    """What each text is to an encoder; the last entry is that of what is missing."""
    found = [np.nan if encoder.reading.is_missing(text) else place(encoder, text) for text in texts]
    return np.array([*found, np.nan])
