"""Encoders learned from the training rows: which labels there are, which columns lack values, what stands in."""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from engine.data.column_types import AnyColumnType, BooleanType, CategoryType, TensorType
from engine.data.encoding.column_options import AnyColumnOption, BooleanColumn, CategoryColumn, NumberColumn
from engine.data.encoding.conversions import Values, as_boolean, as_category, as_number
from engine.data.encoding.encoders import (
    AnyEncoder,
    BooleanEncoder,
    NumberEncoder,
    OneHotEncoder,
    OrdinalEncoder,
    TensorEncoder,
)
from engine.data.table import Table
from engine.errors import SpecError

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


def learn_encoders(table: Table, given: Options) -> tuple[AnyEncoder, ...]:
    """One encoder a column of the training rows; SpecError where a column has no value to learn from."""
    options = {name: option_for(held, given.get(name)) for name, held in table.types.items()}
    counts = {name: _Counts(name, option) for name, option in options.items() if _is_counted(table, name, option)}
    if counts:
        for block in table.blocks(counts):
            for name, count in counts.items():
                count.add(block.columns[name][:], block.types[name])
    numbers = [name for name, option in options.items() if isinstance(option, NumberColumn) and name in counts]
    step = max(1, -(-table.rows * max(1, len(numbers)) // SAMPLE))
    sample = table.select(numbers).take(slice(None, None, step)).read() if numbers else None
    encoders: list[AnyEncoder] = []
    for name, option in options.items():
        held = table.types[name]
        if isinstance(held, TensorType):
            shape = table.shapes[name]
            encoders.append(TensorEncoder(name=name, shape=shape, picture=held.picture, booleans=held.booleans))
        elif option is None or name not in counts:
            encoders.append(NumberEncoder(name=name))
        elif isinstance(option, NumberColumn) and sample is not None:
            counts[name].check()
            values = as_number(name, sample.columns[name][:], sample.types[name])
            fill = _middle(values, option)
            encoders.append(NumberEncoder(name=name, fill_with=fill, indicator=counts[name].missing > 0))
        else:
            counts[name].check()
            encoders.append(counts[name].encoder(option))
    return tuple(encoders)


class _Counts:
    """What training rows hold in one column: how often each label, and how many lack a value."""

    def __init__(self, name: str, option: AnyColumnOption | None) -> None:
        self.name, self.option = name, option
        self.missing, self.present = 0, 0
        self.labels: Counter[str] = Counter()

    def add(self, values: Values, held: AnyColumnType) -> None:
        if isinstance(self.option, CategoryColumn):
            codes, labels = as_category(self.name, values, held)
            found = np.bincount(codes + 1, minlength=len(labels) + 1)
            self.missing += int(found[0])
            for place in np.flatnonzero(found[1:]).tolist():
                self.labels[labels[place]] += int(found[place + 1])
            self.present += int(found[1:].sum())
            return
        is_boolean = isinstance(self.option, BooleanColumn)
        values = (as_boolean if is_boolean else as_number)(self.name, values, held)
        missing = int(np.count_nonzero(np.isnan(values))) if values.dtype.kind == "f" else 0
        self.missing += missing
        self.present += len(values) - missing
        if is_boolean:
            yes = int(np.count_nonzero(values == 1))
            self.labels += Counter({"true": yes, "false": len(values) - missing - yes})

    def check(self) -> None:
        if not self.present:
            raise SpecError(
                "/data/features",
                f"no training row has a value in column {self.name!r}; leave it out of data.features, or "
                f'override it in data.columns: {{"{self.name}": {{"type": "ignore"}}}}',
            )

    def encoder(self, option: AnyColumnOption) -> AnyEncoder:
        if not isinstance(option, CategoryColumn):
            often = float(self.labels["true"] > self.labels["false"])
            return BooleanEncoder(name=self.name, fill_with=often, indicator=self.missing > 0)
        known = tuple(sorted(self.labels))
        often_label = max(known, key=self.labels.__getitem__)
        if option.encoding == "one_hot":
            fill = known.index(often_label)
            return OneHotEncoder(name=self.name, labels=known, fill_with=fill, indicator=self.missing > 0)
        order = option.order or known
        if strange := [label for label in known if label not in order]:
            raise SpecError(
                f"/data/columns/{self.name}/order",
                f"column {self.name!r} holds {strange[0]!r}, which is not in the order {', '.join(order[:10])}; add it",
            )
        fill = order.index(often_label)
        return OrdinalEncoder(name=self.name, labels=order, fill_with=fill, indicator=self.missing > 0)


def _is_counted(table: Table, name: str, option: AnyColumnOption | None) -> bool:
    """Not arrays, which lack nothing; nor integers taken for numbers."""
    if option is None:
        return False
    return (
        not isinstance(option, NumberColumn)
        or table.types[name].kind != "number"
        or (table.columns[name].dtype.kind == "f")
    )


def _middle(values: Values, option: NumberColumn) -> float:
    present = values[~np.isnan(values)]
    if not present.size:
        return 0.0
    if option.missing == "median":
        return float(np.median(present))
    known, times = np.unique(present, return_counts=True)
    return float(known[np.argmax(times)])
