"""Whether columns can be predicted from: dates and free text cannot, and what to do instead is said by name."""

import numpy as np

from engine.data.column_types import BooleanType, CategoryType, NumberType, TensorType, TextType
from engine.data.encoding.column_options import DateColumn, IgnoredColumn
from engine.data.encoding.date_encoder import date_format_of
from engine.data.encoding.encoder_learning import option_for, reading_of
from engine.data.reading.cell_reading import numbers_of, truths_of
from engine.data.specification import DataSpec
from engine.data.table import Table
from engine.errors import SpecError
from engine.json_pointer import pointer
from engine.spelling import did_you_mean

INSTEAD = {
    "dates": "a network takes no dates as they are: have it taken apart into the year, month, weekday and days, with "
    'data.columns: {"%s": {"type": "date"}}, or leave it out',
    "times": "a network takes no times of day: add a number, such as the hour, and leave this one out",
    "text": "a network takes no free text: leave it out, or add columns that count or mark what matters in it",
    "identifiers": "a label of every row teaches nothing about the next: leave it out",
    "mixed": "most are numbers and some are not: correct those, or override its type with number, which makes them "
    "missing values",
}

WORDS = {"mixed": "numbers and words", "times": "times of day"}


def check_options(spec: DataSpec, table: Table) -> None:
    """SpecError for what `data.columns` says of a column that is not there, or that is needed otherwise."""
    for name, option in spec.columns.items():
        where = pointer(["data", "columns", name])
        if name not in table.columns:
            raise SpecError(
                where, f"dataset {spec.train!r} has no column {name!r}. {did_you_mean(name, table.columns)}"
            )
        if table.types[name].kind == "tensor" and not isinstance(option, IgnoredColumn):
            raise SpecError(where, f"column {name!r} holds an array a row; it can only be ignored")
        if isinstance(option, IgnoredColumn) and name in (spec.target, *(spec.features or ())):
            used = "the target" if name == spec.target else "listed in data.features"
            raise SpecError(where, f"column {name!r} is {used}, so it cannot be ignored; take one of the two away")
        held = table.types[name]
        if isinstance(option, DateColumn):
            if name == spec.target:
                raise SpecError(where, f"{name!r} is the target, and dates are only predicted from; predict a number")
            date_format_of(name, held, option)
        dates = isinstance(held, TextType) and held.form is not None and isinstance(option, DateColumn)
        if isinstance(held, TextType) and held.labels is None and not isinstance(option, IgnoredColumn) and not dates:
            raise SpecError(where, f"column {name!r} holds too many different words to learn from; ignore it")


def check_features(spec: DataSpec, table: Table, features: list[str]) -> None:
    """SpecError for a feature of dates or of text that `data.columns` does not make something else."""
    for name in features:
        held = table.types[name]
        if isinstance(held, TextType) and name not in spec.columns:
            listed = spec.features is not None and name in spec.features
            pointer = f"/data/features/{list(spec.features or ()).index(name)}" if listed else "/data/columns"
            example = f", such as {held.example}" if held.example else ""
            raise SpecError(
                pointer,
                f"column {name!r} holds {WORDS.get(held.holds, held.holds)}{example}; "
                f'{INSTEAD[held.holds].replace("%s", name)}, with data.columns: {{"{name}": {{"type": "ignore"}}}}'
                + ("" if held.labels is None else "; or, if its values are few kinds of things, override it with "
                '{"type": "category"}'),
            )  # fmt: skip


def check_likeness(spec: DataSpec, table: Table, other: Table, features: list[str], pointer: str, name: str) -> None:
    """SpecError where another dataset holds words in a column of numbers, or pictures that were read otherwise."""
    for column in features:
        if column in spec.columns or column not in other.columns:
            continue
        here, there = table.types[column], other.types[column]
        pictures = [held.picture for held in (here, there) if isinstance(held, TensorType) and held.picture]
        if len(pictures) == 2 and (unlike := pictures[0].unlike(pictures[1])):
            raise SpecError(pointer, f"column {column!r} of dataset {name!r} holds {unlike}")
        if isinstance(here, NumberType | BooleanType) and isinstance(there, CategoryType | TextType):
            reading, texts = reading_of(here, option_for(here, None)), there.labels or ()
            unreadable = (numbers_of if isinstance(here, NumberType) else truths_of)(reading, texts)[1][:-1]
            if there.labels is not None and not unreadable.any():
                continue
            found = "words" if there.labels is None else texts[int(np.argmax(unreadable))]
            raise SpecError(
                pointer,
                f"column {column!r} holds {here.kind}s in training, but dataset {name!r} has {found!r} in it; correct "
                f"it, or override the column's type in data.columns",
            )
