"""Columns that say nothing, or nothing new: constant ones, copies of others, numbers of the rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.checks.finding import Finding, listed
from engine.data.checks.parts import spread
from engine.data.column_types import CategoryType, NumberType, TextType
from engine.data.table import Column, Table

Values = NDArray[Any]

SAMPLE_ROWS = 4096
SAMPLE_BYTES = 16 << 20
WALKED_BYTES = 256 << 20  # of a table that is looked at as a whole
FEWEST_NUMBERED = 20  # fewer rows are in ascending order by chance


@dataclass(frozen=True)
class IdleColumns:
    """Names of the columns; of copies, each with the column that it repeats."""

    constant: tuple[str, ...]
    copies: tuple[tuple[str, str], ...]
    row_numbers: tuple[str, ...]
    sampled: int | None  # so many rows were looked at; None: all


def idle_columns(table: Table, names: Sequence[str]) -> IdleColumns:
    """What a sample makes likely is verified on all rows in one walk, unless there is too much to read."""
    row_bytes = sum(prod(shape) * column.dtype.itemsize for shape, column in _layout(table))
    some = spread(table.rows, max(2, min(SAMPLE_ROWS, SAMPLE_BYTES // max(1, row_bytes))))
    sample = table.select(names).take(some).read().plain() if names else table
    constant = [name for name in names if _constant(sample.whole(name))]
    numbers = [name for name in names if name not in constant and _counts_up(sample, name)]
    copies = list(_twins(sample, [name for name in names if name not in constant]))
    whole = table.rows * row_bytes <= WALKED_BYTES
    if whole and (constant or copies):
        first = {name: sample.whole(name)[0] for name in constant}
        for block in map(
            Table.plain, table.blocks(dict.fromkeys([*constant, *(name for pair in copies for name in pair)]))
        ):
            constant = [name for name in constant if _constant(block.whole(name), first[name])]
            copies = [pair for pair in copies if _equal(block, *pair)]
    sampled = None if whole or len(some) == table.rows else len(some)
    return IdleColumns(tuple(constant), tuple(copies), tuple(numbers), sampled)


def about_idle_columns(idle: IdleColumns) -> Iterator[Finding]:
    """What to say of them."""
    every = "every row" if idle.sampled is None else f"every one of {idle.sampled} rows looked at"
    if idle.constant:
        yield Finding(
            check="constant_columns",
            severity="warning",
            columns=idle.constant,
            message=f"{listed(list(idle.constant))} {_have(idle.constant, 'has', 'have')} the same value in "
            f"{every}: there is nothing to learn from it.",
            advice="Leave it out of data.features; if it should vary, look at how it was exported.",
        )
    for name, twin in idle.copies:
        yield Finding(
            check="duplicated_columns",
            severity="warning",
            columns=(name, twin),
            message=f"{name!r} repeats {twin!r} in {every}.",
            advice=f"Leave {name!r} out of data.features; a copy of the target would give the answer away.",
        )
    if idle.row_numbers:
        yield Finding(
            check="row_numbers",
            severity="warning",
            columns=idle.row_numbers,
            message=f"{listed(list(idle.row_numbers))} {_have(idle.row_numbers, 'counts', 'count')} up from row to "
            f"row, as an identifier or a time does.",
            advice="Leave it out of data.features: what a network learns of it will not hold for new rows.",
        )


def _have(names: Sequence[str], one: str, many: str) -> str:
    return one if len(names) == 1 else many


def _layout(table: Table) -> Iterator[tuple[tuple[int, ...], Column]]:
    return ((table.shapes[name], column) for name, column in table.columns.items())


def _constant(values: Values, first: object = None) -> bool:
    like = values[0] if first is None else first
    return bool(np.all((values == like) | ((values != values) & (like != like))))


def _counts_up(sample: Table, name: str) -> bool:
    values = sample.whole(name)
    if not isinstance(sample.types[name], NumberType) or len(values) < FEWEST_NUMBERED:
        return False
    return bool(np.all(values == np.floor(values)) and np.all(np.diff(values) > 0))


def _twins(sample: Table, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Every column whose values an earlier one has as well."""
    seen: dict[bytes, str] = {}
    for name in names:
        kind = sample.types[name]
        labels = kind.labels if isinstance(kind, CategoryType | TextType) else None
        values = np.ascontiguousarray(sample.whole(name))
        what = repr((kind.kind, values.dtype.str, values.shape, labels)).encode()
        twin = seen.setdefault(blake2b(what + values.tobytes()).digest(), name)
        if twin != name:
            yield name, twin


def _equal(block: Table, one: str, other: str) -> bool:
    return np.array_equal(block.whole(one), block.whole(other), equal_nan=block.columns[one].dtype.kind == "f")
