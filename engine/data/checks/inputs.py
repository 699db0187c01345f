"""Columns as single series of values that can be compared one at a time, over a sample of rows.

A wide value such as an image becomes means over stretches of it, and its spread, so that what is read and kept
stays within bounds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from engine.data.column_types import CategoryType, TensorType, TextType
from engine.data.table import Table

Floats = NDArray[np.float64]
MOST_STRETCHES = 128  # of one tensor
MOST_VALUES = 1_500_000  # that a sample may keep
MOST_BYTES = 32 << 20  # that a sample may read


@dataclass(frozen=True)
class Input:
    """A value a sampled row, NaN where it is missing; categorical ones only tell values apart."""

    column: str
    name: str
    values: Floats
    categorical: bool = False


def sample_rows(table: Table, features: Sequence[str], most: int) -> int:
    """How many rows a sample of these columns may have, `most` at the most."""
    sizes = {name: prod(table.shapes[name]) for name in features}
    kept = sum(min(size, MOST_STRETCHES + 1) for size in sizes.values())
    read = sum(size * table.columns[name].dtype.itemsize for name, size in sizes.items())
    return max(1, min(most, MOST_VALUES // max(1, kept), MOST_BYTES // max(1, read)))


def inputs_of(samples: Sequence[Table], features: Sequence[str]) -> Iterator[Input]:
    """The inputs of the rows of tables in memory, one table after the other."""
    for name in features:
        kind = samples[0].types[name]
        if isinstance(kind, TextType):  # no network takes it
            continue
        if isinstance(kind, TensorType) or samples[0].shapes[name]:
            yield from _stretches(samples, name)
        elif isinstance(kind, CategoryType):
            yield Input(name, name, _codes(samples, name), categorical=True)
        else:
            yield Input(name, name, np.concatenate([_numbers(table, name) for table in samples]))


def _numbers(table: Table, name: str) -> Floats:
    if isinstance(table.types[name], CategoryType | TextType):  # another dataset, where it is no column of numbers
        return np.full(table.rows, np.nan)
    return np.asarray(table.whole(name), np.float64)


def _codes(samples: Sequence[Table], name: str) -> Floats:
    """Codes that mean the same label in all tables; a label is numbered when it is first met."""
    known: dict[str, int] = {}
    codes: list[Floats] = []
    for table in samples:
        kind = table.types[name]
        if isinstance(kind, CategoryType):
            meaning = [float(known.setdefault(label, len(known))) for label in kind.labels]
            codes.append(np.array([*meaning, np.nan])[table.whole(name)])  # −1 is the last: missing
        else:
            codes.append(np.full(table.rows, np.nan))
    return np.concatenate(codes)


def _stretches(samples: Sequence[Table], name: str) -> Iterator[Input]:
    shape = samples[0].shapes[name]
    size = prod(shape)
    starts = np.linspace(0, size, min(size, MOST_STRETCHES) + 1).astype(np.intp)
    widths = np.diff(starts)
    means = np.empty((sum(table.rows for table in samples), len(widths)), np.float32)
    spread = np.empty(len(means))
    place = 0
    for table in samples:
        for block in table.blocks([name]):
            flat = block.whole(name).reshape(block.rows, -1).astype(np.float64)
            means[place : place + len(flat)] = np.add.reduceat(flat, starts[:-1], axis=1) / widths
            spread[place : place + len(flat)] = flat.std(axis=1)
            place += len(flat)
    for number, width in enumerate(widths):
        where = ",".join(map(str, np.unravel_index(starts[number], shape)))
        title = f"{name}[{where}]" if width == 1 else f"{name}[{starts[number]}:{starts[number + 1]}]"
        yield Input(name, title, means[:, number].astype(np.float64))
    if size > 1:
        yield Input(name, f"spread of {name}", spread)
