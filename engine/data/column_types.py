"""What the values of a column are: numbers, yes and no, categories, text, or arrays.

A type says how stored values are read: which of them are missing, and what they stand for outside. A column may be
*spelled*: its values are then codes, places among the spellings that stood in the file, so that nothing of a cell is
lost that another reader could want; a code below 0 is missing.
"""

from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray
from pydantic import Field, TypeAdapter

from engine.component import Component
from engine.data.formats.images.picture_reading import PictureReading
from engine.data.reading.cell_reading import CellReading, numbers_of, truths_of
from engine.data.reading.date_format import DateFormat, moment_text

Values = NDArray[Any]
Scalar = float | int | bool | str | None
Labels = tuple[str, ...]


class SpelledType(Component):
    """Codes of spellings: places in `labels`; -1 is a blank or null, and -2 - k is missing, spelled as marker k."""

    labels: Labels | None = None
    markers: Labels = ()
    reading: CellReading = CellReading()

    def missing(self, values: Values) -> NDArray[np.bool_]:
        """Which of some stored values are missing."""
        if values.dtype.kind == "f":
            return np.isnan(values)
        return values < 0 if self._coded else np.zeros(len(values), bool)

    @property
    def _coded(self) -> bool:
        return self.labels is not None

    def texts(self, codes: Values) -> tuple[NDArray[np.intp], Labels]:
        """Places among all texts, those of markers behind the labels; -1 for blank and null."""
        labels = self.labels or ()
        places = np.where(codes < -1, len(labels) - 2 - codes.astype(np.intp), codes)
        return places.astype(np.intp), _joined(labels, self.markers)


class NumberType(SpelledType):
    """Floats or integers, NaN being missing; or codes of numbers of few spellings."""

    kind: Literal["number"] = "number"
    classes: bool = False  # integers that stand for classes, however many there are

    def numbers(self, values: Values) -> Values:
        """Stored values as numbers, NaN where they are missing."""
        return values if self.labels is None else numbers_of(self.reading, self.labels)[0][np.maximum(values, -1)]

    def decoded(self, values: Values) -> list[Any]:
        """Stored values as they are sent in JSON; None where they are missing."""
        return [None if value != value else value for value in self.numbers(values).tolist()]


class BooleanType(SpelledType):
    """0 and 1 as floats, NaN being missing; or codes of the words that say so."""

    kind: Literal["boolean"] = "boolean"

    def numbers(self, values: Values) -> Values:
        """Stored values as 0, 1 and NaN."""
        return values if self.labels is None else truths_of(self.reading, self.labels)[0][np.maximum(values, -1)]

    def decoded(self, values: Values) -> list[Any]:
        return [None if value != value else bool(value) for value in self.numbers(values).tolist()]


class CategoryType(SpelledType):
    """Places in a list of labels, int32."""

    kind: Literal["category"] = "category"
    labels: Labels

    def decoded(self, values: Values) -> list[Any]:
        return [None if code < 0 else self.labels[code] for code in values.tolist()]


class TextType(SpelledType):
    """Dates, free text, identifiers: nothing that a network takes as it is.

    Values are places in the labels, int32. Where there are too many labels to keep, `labels` is None and the
    values are 63-bit hashes, int64: still good for grouping rows; or, of dates, moments as their format reads them.
    """

    kind: Literal["text"] = "text"
    holds: Literal["dates", "times", "text", "identifiers", "mixed"] = "text"
    example: str = ""
    form: DateFormat | None = None  # of dates that are moments

    @property
    def _coded(self) -> bool:
        return True

    def decoded(self, values: Values) -> list[Any]:
        if self.form is not None:
            return [None if moment < 0 else moment_text(moment) for moment in values.tolist()]
        if self.labels is None:
            return [None if code < 0 else f"#{code:016x}" for code in values.tolist()]
        return [None if code < 0 else self.labels[code] for code in values.tolist()]


class TensorType(Component):
    """An array a row, such as an image; nothing is missing."""

    kind: Literal["tensor"] = "tensor"
    picture: PictureReading | None = None  # where a row is a picture
    booleans: bool = False  # true and false

    def missing(self, values: Values) -> NDArray[np.bool_]:
        return np.zeros(len(values), bool)

    def decoded(self, values: Values) -> list[Any]:
        return list(values.tolist())


AnyColumnType = NumberType | BooleanType | CategoryType | TextType | TensorType
ColumnType = Annotated[AnyColumnType, Field(discriminator="kind")]
COLUMN_TYPES: TypeAdapter[dict[str, AnyColumnType]] = TypeAdapter(dict[str, ColumnType])


def natural_type(dtype: DTypeLike, shape: tuple[int, ...]) -> AnyColumnType:
    """The type of a column about which nothing more is known than its array's dtype and shape."""
    return TensorType() if len(shape) > 1 else NumberType()


def plain(values: Values, held: AnyColumnType) -> tuple[Values, AnyColumnType]:
    """The values and the type of a column once its spellings do not matter: numbers and truth values as floats."""
    if isinstance(held, NumberType | BooleanType) and held.labels is not None:
        return held.numbers(values), held.model_copy(update={"labels": None, "markers": ()})
    if isinstance(held, CategoryType | TextType) and held.markers:
        return np.maximum(values, -1), held.model_copy(update={"markers": ()})
    return values, held


@lru_cache(maxsize=512)
def _joined(labels: Labels, markers: Labels) -> Labels:
    return (*labels, *markers)
