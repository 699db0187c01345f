"""Encoders learned from the training rows: which labels there are, which columns lack values, what stands in."""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from engine.data.column_types import AnyColumnType, BooleanType, CategoryType, NumberType, TensorType
from engine.data.encoding.column_options import (
    AnyColumnOption,
    BooleanColumn,
    CategoryColumn,
    DateColumn,
    IgnoredColumn,
    NumberColumn,
)
from engine.data.encoding.conversions import Values, as_boolean, as_number, texts_of
from engine.data.encoding.date_encoder import as_days, date_encoder, date_format_of
from engine.data.encoding.encoders import (
    AnyEncoder,
    BooleanEncoder,
    NumberEncoder,
    OneHotEncoder,
    OrdinalEncoder,
    TensorEncoder,
)
from engine.data.reading.cell_reading import STANDARD, CellReading
from engine.data.reading.cell_values import is_beyond_exact
from engine.data.reading.label_places import label_places
from engine.data.reading.unreadable import UnreadableCells
from engine.data.table import Table
from engine.errors import SpecError
from engine.json_pointer import pointer

UNREADABLE: Mapping[type, tuple[str, str]] = {  # what cells are that cannot be read, and what else to say of them
    NumberColumn: ("no number", "how the column is written (decimal, thousands, unit)"),
    BooleanColumn: ("neither true nor false", "what is missing (missing_words)"),
    DateColumn: ("no date", "how the column is written (order, missing_words)"),
}
TOLD = 2e-7  # of a column's range: what float32 may be wrong by, for logits that are right to a hundred-thousandth
TOLD_APART = 1 << 18  # values that are looked at to see whether float32 tells them apart
SAMPLE = 1 << 24  # values: a median is exact up to so many, else that of evenly spaced rows

Options = Mapping[str, AnyColumnOption]


def option_for(held: AnyColumnType, given: AnyColumnOption | None) -> AnyColumnOption | None:
    """How a column becomes inputs, as the spec says or its type suggests; None for an array a row."""
    if given is not None:
        return given
    match held:
        case TensorType():
            return None
        case BooleanType():
            return BooleanColumn()
        case CategoryType():
            return CategoryColumn()
        case _:
            return NumberColumn()


def reading_of(held: AnyColumnType, option: AnyColumnOption | None) -> CellReading:
    """What the cells of a column mean to a model: as the column was read, and what the spec says otherwise.

    No number and no truth value is spelled as the standard words for what is missing, whatever file they come from.
    """
    reading = CellReading() if isinstance(held, TensorType) else held.reading
    changes: dict[str, object] = {}
    if option is None or isinstance(option, IgnoredColumn):
        return reading
    if option.missing_words is not None:
        changes["missing"] = tuple(sorted({word.strip().lower() for word in option.missing_words}))
    elif not isinstance(option, CategoryColumn):
        changes["missing"] = tuple(sorted({*reading.missing, *STANDARD}))
    if isinstance(option, NumberColumn):
        form = option.format()
        changes |= {
            "number": reading.number if form is None else form,
            "truth": isinstance(held, BooleanType),
        }
    if isinstance(option, NumberColumn | DateColumn):
        changes["lenient"] = option.unreadable == "missing"
    return reading.model_copy(update=changes)


def learn_encoders(table: Table, given: Options) -> tuple[AnyEncoder, ...]:
    """One encoder a column of the training rows; SpecError where a column has no value to learn from."""
    options = {name: option_for(held, given.get(name)) for name, held in table.types.items()}
    readings = {name: reading_of(table.types[name], option) for name, option in options.items() if option is not None}
    counts = {
        name: _Counts(name, option, readings[name])
        for name, option in options.items()
        if option is not None and _is_counted(table, name, option)
    }
    if counts:
        for block in table.blocks(counts):
            for name, count in counts.items():
                count.add(block.columns[name][:], block.types[name])
    numbers = [name for name, option in options.items() if isinstance(option, NumberColumn | DateColumn)]
    step = max(1, -(-table.rows * max(1, len(numbers)) // SAMPLE))
    sample = table.select(numbers).take(slice(None, None, step)).read() if numbers else None
    encoders: list[AnyEncoder] = []
    for name, option in options.items():
        held = table.types[name]
        if isinstance(held, TensorType) or option is None:
            picture, booleans = (held.picture, held.booleans) if isinstance(held, TensorType) else (None, False)
            shape = table.shapes[name]
            encoders.append(TensorEncoder(name=name, shape=shape, picture=picture, booleans=booleans))
        elif isinstance(option, NumberColumn) and sample is not None:
            missing = 0
            if name in counts:
                counts[name].check()
                missing = counts[name].missing
            values = as_number(name, sample.columns[name][:], sample.types[name], readings[name])
            encoders.append(_number_encoder(name, values, option, readings[name], indicator=missing > 0))
        elif isinstance(option, DateColumn) and sample is not None:
            counts[name].check()
            form = date_format_of(name, held, option)
            days = as_days(name, sample.columns[name][:], sample.types[name], form, readings[name])
            encoders.append(date_encoder(name, days, option, form, readings[name], indicator=counts[name].missing > 0))
        else:
            counts[name].check()
            encoders.append(counts[name].encoder(option))
    return tuple(encoders)


class _Counts:
    """What training rows hold in one column: how often each label, and how many lack a value."""

    def __init__(self, name: str, option: AnyColumnOption, reading: CellReading) -> None:
        self.name, self.option, self.reading = name, option, reading
        self.missing, self.present = 0, 0
        self.unreadable, self.examples = 0, list[str]()
        self.labels: Counter[str] = Counter()

    def add(self, values: Values, held: AnyColumnType) -> None:
        if isinstance(self.option, CategoryColumn):
            places, texts = texts_of(self.name, values, held)
            found = np.bincount(places + 1, minlength=len(texts) + 1)
            self.missing += int(found[0])
            for place in np.flatnonzero(found[1:]).tolist():
                if self.reading.is_missing(texts[place]):
                    self.missing += int(found[place + 1])
                else:
                    self.labels[texts[place]] += int(found[place + 1])
                    self.present += int(found[place + 1])
            return
        is_boolean = isinstance(self.option, BooleanColumn)
        try:
            if isinstance(self.option, DateColumn):
                form = date_format_of(self.name, held, self.option)
                values = as_days(self.name, values, held, form, self.reading)
            else:
                values = (as_boolean if is_boolean else as_number)(self.name, values, held, self.reading)
        except UnreadableCells as bad:
            self.unreadable += bad.count
            said = [cell.partition(";")[0] for cell in bad.cells.values()]
            self.examples = list(dict.fromkeys(self.examples + said))[:3]
            return
        missing = int(np.count_nonzero(np.isnan(values))) if values.dtype.kind == "f" else 0
        self.missing += missing
        self.present += len(values) - missing
        if is_boolean:
            yes = int(np.count_nonzero(values == 1))
            self.labels += Counter({"true": yes, "false": len(values) - missing - yes})

    def check(self) -> None:
        where = pointer(["data", "columns", self.name])
        if self.unreadable:
            examples = ", ".join(example.removeprefix("holds ") for example in self.examples)
            takes, written = UNREADABLE[type(self.option)]
            settle = (
                f'; {{"{self.name}": {{"type": "{self.option.type}", "unreadable": "missing"}}}} makes them missing '
                "values"
                if isinstance(self.option, NumberColumn | DateColumn)
                else ""
            )
            if isinstance(self.option, NumberColumn) and any(map(_is_long_integer, self.examples)):
                raise SpecError(
                    where,
                    f"{self.unreadable} cells of column {self.name!r} are integers that float64 cannot hold, such as "
                    f"{examples}: beyond ±2⁵³ neighbors become one; take them for categories, with data.columns: "
                    f'{{"{self.name}": {{"type": "category"}}}}, or divide them before they are sent',
                )
            raise SpecError(
                where,
                f"{self.unreadable} cells of column {self.name!r} are {takes}, such as {examples}; correct them, say "
                f"{written}, or leave the column out{settle}",
            )
        if not self.present:
            raise SpecError(
                "/data/features",
                f"no training row has a value in column {self.name!r}; leave it out of data.features, or "
                f'override it in data.columns: {{"{self.name}": {{"type": "ignore"}}}}',
            )

    def encoder(self, option: AnyColumnOption) -> AnyEncoder:
        about = {"name": self.name, "reading": self.reading, "indicator": self.missing > 0}
        if not isinstance(option, CategoryColumn):
            often = float(self.labels["true"] > self.labels["false"])
            return BooleanEncoder.model_validate({**about, "fill_with": often})
        known = tuple(sorted(self.labels))
        often_label = max(known, key=self.labels.__getitem__)
        if option.encoding == "one_hot":
            shares = tuple(self.labels[label] / self.present for label in known)
            fill = known.index(often_label)
            return OneHotEncoder.model_validate({**about, "labels": known, "fill_with": fill, "shares": shares})
        order = option.order or known
        places = label_places(order)
        if strange := [label for label in known if places.place(label) < 0]:
            raise SpecError(
                pointer(["data", "columns", self.name, "order"]),
                f"column {self.name!r} holds {strange[0]!r}, which is not in the order {', '.join(order[:10])}; add it",
            )
        fill = places.place(often_label)
        return OrdinalEncoder.model_validate({**about, "labels": order, "fill_with": fill})


def _is_long_integer(example: str) -> bool:
    """Whether what is said of a cell shows an integer beyond float64's exact ones."""
    digits = example.removeprefix("holds ").strip("'+-")
    return digits.isascii() and digits.isdigit() and is_beyond_exact(digits)


def _number_encoder(
    name: str, values: Values, option: NumberColumn, reading: CellReading, *, indicator: bool
) -> NumberEncoder:
    present = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    if not present.size:
        return NumberEncoder(name=name, reading=reading, indicator=indicator)
    if option.missing == "median":
        fill = np.median(present)
    else:
        known, times = np.unique(present, return_counts=True)
        fill = known[np.argmax(times)]
    some = np.unique(present[:: -(-len(present) // TOLD_APART)])
    low, high = float(present.min()), float(present.max())
    with np.errstate(over="ignore"):
        exact = np.array_equal(some.astype(np.float32), some)
    rounded = max(abs(low), abs(high)) * 2.0**-24  # at most, where a number becomes a float32
    single = exact or rounded <= TOLD * (high / 2 - low / 2) * 2
    return NumberEncoder(
        name=name,
        reading=reading,
        fill_with=float(fill),
        indicator=indicator,
        low=low,
        high=high,
        single=single,
    )


def _is_counted(table: Table, name: str, option: AnyColumnOption) -> bool:
    """Not arrays, which lack nothing; nor integers taken for numbers."""
    held = table.types[name]
    return (
        not isinstance(option, NumberColumn)
        or not isinstance(held, NumberType)
        or held.labels is not None
        or table.columns[name].dtype.kind == "f"
    )
