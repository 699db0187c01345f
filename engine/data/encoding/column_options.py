"""What a spec may say about one column: what it holds, how it is made numbers, what stands in for a missing value."""

from collections import Counter
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from engine.component import Component
from engine.family import Family

Label = Annotated[str, StringConstraints(max_length=1000)]


class NumberColumn(Component):
    """Numbers; in a column of words, what is no number is missing."""

    type: Literal["number"] = Field(
        "number", description="Take the column for numbers; words that are none become missing values."
    )
    missing: Literal["median", "most_frequent"] = Field(
        "median", description="What stands in for a missing value: the median of the training rows, or their mode."
    )


class BooleanColumn(Component):
    """Yes and no."""

    type: Literal["boolean"] = Field(
        "boolean", description="Take 0 and 1, or words such as yes and no, for true and false."
    )


class CategoryColumn(Component):
    """One of some labels; a number is the label that it is written as."""

    type: Literal["category"] = Field(
        "category", description="Take the column for labels without an order: codes, postcodes, words."
    )
    encoding: Literal["one_hot", "ordinal"] = Field(
        "one_hot",
        description="An input a label and one for labels never seen in training; or one input that counts "
        "along `order`: for sizes, grades and the like.",
    )
    order: Annotated[tuple[Label, ...], Field(min_length=2)] | None = Field(
        None, description="The labels from least to greatest, for `ordinal`; null takes them in alphabetical order."
    )

    @field_validator("order")
    @classmethod
    def labels_differ(cls, order: tuple[str, ...] | None) -> tuple[str, ...] | None:
        label, times = Counter(order or ("",)).most_common(1)[0]
        if times > 1:
            raise ValueError(f"{label!r} is listed {times} times; name every label once")
        return order


class IgnoredColumn(Component):
    """Nothing to predict from."""

    type: Literal["ignore"] = Field("ignore", description="Leave the column out of the features.")


AnyColumnOption = NumberColumn | BooleanColumn | CategoryColumn | IgnoredColumn
ColumnOption = Annotated[AnyColumnOption, Family()]
