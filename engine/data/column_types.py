"""What the values of a column are: numbers, yes and no, categories, text, or arrays.

A type says how stored values are read: which of them are missing, and what they stand for outside.
"""

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray
from pydantic import Field, TypeAdapter

from engine.component import Component
from engine.data.formats.picture_reading import PictureReading

Values = NDArray[Any]
Scalar = float | int | bool | str | None


class NumberType(Component):
    """Floats or integers; NaN is missing."""

    kind: Literal["number"] = "number"
    classes: bool = False  # integers that stand for classes, however many there are

    def missing(self, values: Values) -> NDArray[np.bool_]:
        """Which of some stored values are missing."""
        return np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)

    def decoded(self, values: Values) -> list[Any]:
        """Stored values as they are sent in JSON; None where they are missing."""
        return [None if value != value else value for value in values.tolist()]


class BooleanType(Component):
    """0 and 1 as floats; NaN is missing."""

    kind: Literal["boolean"] = "boolean"

    def missing(self, values: Values) -> NDArray[np.bool_]:
        return np.isnan(values)

    def decoded(self, values: Values) -> list[Any]:
        return [None if value != value else bool(value) for value in values.tolist()]


class CategoryType(Component):
    """Places in a list of labels, int32; -1 is missing."""

    kind: Literal["category"] = "category"
    labels: tuple[str, ...]

    def missing(self, values: Values) -> NDArray[np.bool_]:
        return values < 0

    def decoded(self, values: Values) -> list[Any]:
        return [None if code < 0 else self.labels[code] for code in values.tolist()]


class TextType(Component):
    """Dates, free text, identifiers: nothing that a network takes as it is.

    Values are places in the labels, int32. Where there are too many labels to keep, `labels` is None and the
    values are 63-bit hashes, int64: still good for grouping rows. -1 is missing.
    """

    kind: Literal["text"] = "text"
    holds: Literal["dates", "text", "identifiers", "mixed"] = "text"
    example: str = ""
    labels: tuple[str, ...] | None = None

    def missing(self, values: Values) -> NDArray[np.bool_]:
        return values < 0

    def decoded(self, values: Values) -> list[Any]:
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
