"""What a spec may say about one column: what it holds, how it is made numbers, what stands in for a missing value."""

from collections import Counter
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from engine.component import Component
from engine.data.reading.date_format import Order
from engine.data.reading.number_format import NumberFormat, Unit
from engine.family import Family

Label = Annotated[str, StringConstraints(max_length=1000)]
MissingWords = Annotated[
    Annotated[tuple[Label, ...], Field(max_length=100)] | None,
    Field(
        description="The words that stand for a missing value in this column, in any case; a blank always does. "
        "null: as the upload was read.",
    ),
]


class NumberColumn(Component):
    """Numbers, written as the column's own cells suggest or as it is said here."""

    type: Literal["number"] = Field("number", description="Take the column for numbers.")
    missing: Literal["median", "most_frequent"] = Field(
        "median", description="What stands in for a missing value: the median of the training rows, or their mode."
    )
    missing_words: MissingWords = None
    unreadable: Literal["refuse", "missing"] = Field(
        "refuse", description="What becomes of a cell that is no number: the job is refused with their count, or such "
        "cells are missing values, here and in every row to predict.",
    )  # fmt: skip
    decimal: Literal[".", ","] | None = Field(None, description="The decimal sign; null: as the cells suggest.")
    thousands: Literal["", ",", ".", " ", "'", "_"] | None = Field(
        None, description="What sets thousands apart; null: as the cells suggest."
    )
    unit: Unit | None = Field(
        None, description="What stands before or behind the numbers: `$`, `%`, `kg`; null: as the cells suggest."
    )
    multiplied: bool | None = Field(None, description="Whether k, M and B behind a number multiply it.")
    accounting: bool | None = Field(None, description="Whether (5) and 5- are -5.")

    def format(self) -> NumberFormat | None:
        """The number format that is said here; None where nothing is said of it."""
        said = self.model_dump(include=set(NumberFormat.model_fields), exclude_none=True)
        return NumberFormat.model_validate(said) if said else None


class BooleanColumn(Component):
    """Yes and no."""

    type: Literal["boolean"] = Field(
        "boolean", description="Take 0 and 1, or words such as yes and no, for true and false."
    )
    missing_words: MissingWords = None


class CategoryColumn(Component):
    """One of some labels; a number is the label that it is written as."""

    type: Literal["category"] = Field(
        "category", description="Take the column for labels without an order: codes, postcodes, words."
    )
    encoding: Literal["one_hot", "ordinal"] = Field(
        "one_hot",
        description="An input a label, where one never seen in training counts as the training rows' share of each; or "
        "one input that counts along `order`: for sizes, grades and the like.",
    )
    missing_words: MissingWords = None
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


DatePart = Literal["year", "month", "day", "weekday", "hour", "days"]


class DateColumn(Component):
    """Dates, taken apart into what a network can learn from."""

    type: Literal["date"] = Field("date", description="Take the column for dates.")
    parts: Annotated[tuple[DatePart, ...], Field(min_length=1, max_length=6)] = Field(
        ("year", "month", "weekday", "days"),
        description="What becomes an input: the year, the day of the month, the hour and the days since 1970-01-01 "
        "are a number each; the month and the weekday an input for each that there is.",
    )
    order: Order | None = Field(
        None, description="The order of dates such as 03/04/2024: dmy or mdy; null: as all cells together tell."
    )
    missing_words: MissingWords = None
    unreadable: Literal["refuse", "missing"] = Field(
        "refuse", description="What becomes of a cell that is no date: the job is refused with their count, or such "
        "cells are missing values, here and in every row to predict.",
    )  # fmt: skip

    @field_validator("parts")
    @classmethod
    def parts_differ(cls, parts: tuple[DatePart, ...]) -> tuple[DatePart, ...]:
        part, times = Counter(parts).most_common(1)[0]
        if times > 1:
            raise ValueError(f"{part!r} is listed {times} times; name every part once")
        return parts


class IgnoredColumn(Component):
    """Nothing to predict from."""

    type: Literal["ignore"] = Field("ignore", description="Leave the column out of the features.")


AnyColumnOption = NumberColumn | BooleanColumn | CategoryColumn | DateColumn | IgnoredColumn
ColumnOption = Annotated[AnyColumnOption, Family()]
