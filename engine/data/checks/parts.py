"""Which rows of which tables a split makes train, dev and test of, without touching any other column.

Checks walk tables in the order they lie in, and read of a row only what they look at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import PARTS, Dataset
from engine.data.encoding.column_options import AnyColumnOption, IgnoredColumn
from engine.data.encoding.target_column import answers_of
from engine.data.splits import AnySplit, GivenSplit
from engine.data.table import Table

Index = NDArray[np.int64]
MARK = "\0row"  # no column of an upload can have this name
SHIFT = 40


@dataclass(frozen=True)
class Source:
    """A table that parts take rows from, and what to call it."""

    title: str
    table: Table


@dataclass(frozen=True)
class Part:
    """Ascending rows of one table or of several: (number of the source, rows)."""

    segments: tuple[tuple[int, Index], ...]

    @property
    def size(self) -> int:
        return sum(len(rows) for _, rows in self.segments)


@dataclass(frozen=True)
class Parts:
    """The sources, and the parts made of their rows."""

    sources: tuple[Source, ...]
    parts: Mapping[str, Part]
    options: Mapping[str, AnyColumnOption] = field(default_factory=dict)  # what the spec says of columns

    @property
    def sizes(self) -> dict[str, int]:
        return {name: part.size for name, part in self.parts.items()}

    def sample(self, name: str, columns: Sequence[str], most: int | None = None) -> list[Table]:
        """Columns of a part's rows in memory, of the types that the spec gives them, a table for each source.

        With `most`, so many rows, evenly spread.
        """
        part, taken = self.parts[name], []
        for number, rows in part.segments:
            share = len(rows) if most is None else max(1, most * len(rows) // part.size)
            table = self.sources[number].table.select(columns)
            taken.append(as_wanted(table.take(rows[spread(len(rows), share)]).read(), self.options))
        return taken


def as_wanted(table: Table, options: Mapping[str, AnyColumnOption]) -> Table:
    """The table with its columns of the types that the spec gives them; DataError where one cannot have it."""
    read = table.plain()
    columns, types = dict(read.columns), dict(read.types)
    for name in columns.keys() & options.keys():
        if not isinstance(options[name], IgnoredColumn):
            columns[name], types[name] = answers_of(name, table, options[name])
    return Table(columns, types)


def spread(rows: int, most: int, seed: int = 0) -> Index:
    """Ascending row numbers, at most so many: one at random of every stretch."""
    if rows <= most:
        return np.arange(rows, dtype=np.int64)
    jitter = np.random.default_rng(seed).random(most)
    return ((np.arange(most) + jitter) * (rows / most)).astype(np.int64).clip(max=rows - 1)


def divided(
    split: AnySplit,
    dataset: Dataset,
    strata: str | None,
    others: Mapping[str, Dataset],
    *,
    title: str,
    options: Mapping[str, AnyColumnOption],
) -> Parts:
    """What the split makes of the dataset; SpecError where it does not fit."""
    sources: list[Source] = []

    def narrow(source: Dataset, needed: list[str], title: str) -> Dataset:
        tables = {}
        for name, table in source.parts.items():
            marks = np.arange(table.rows, dtype=np.int64) + (len(sources) << SHIFT)
            tables[name] = Table({n: table.columns[n] for n in needed} | {MARK: marks}, table.types)
            sources.append(Source(title if name == "all" else f"{name} of {title}", table))
        return Dataset(tables)

    needed = list(dict.fromkeys([*([strata] if strata else []), *split.columns.values()]))
    whole = narrow(dataset, needed, title)
    named = (split.dev, split.test) if isinstance(split, GivenSplit) else ()
    narrowed = {name: narrow(others[name], [], name) for name in dict.fromkeys(named) if name is not None}
    marks = {name: table.whole(MARK) for name, table in split.parts(whole, strata, narrowed).items()}
    return Parts(tuple(sources), {name: _part(marks[name]) for name in PARTS if name in marks}, options)


def _part(marks: Index) -> Part:
    numbers = marks >> SHIFT
    rows = marks & ((1 << SHIFT) - 1)
    return Part(tuple((int(number), np.sort(rows[numbers == number])) for number in np.unique(numbers)))
