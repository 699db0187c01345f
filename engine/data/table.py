"""Equally long, named columns: what every format is read into and every split takes rows from.

The first axis of a column counts rows; its further axes are the shape of one value, as of an image.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.data.column_types import AnyColumnType, natural_type, plain
from engine.data.storage.stored_columns import chained, picked, read_columns
from engine.errors import DataError

BLOCK = 1 << 20  # values looked at together: eight megabytes as float64


class Column(Protocol):
    """An array, or something that reads the rows asked for and gives an array."""

    @property
    def dtype(self) -> np.dtype[Any]: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> NDArray[Any]: ...


@dataclass(frozen=True)
class Table:
    """Named columns of one length; DataError where their lengths differ or there is none.

    A type that is not given is the natural one: arrays a row are tensors, everything else is numbers.
    """

    columns: Mapping[str, Column]
    types: Mapping[str, AnyColumnType] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in self.columns.items()}
        if not lengths:
            raise DataError("a table needs at least one column")
        if len(set(lengths.values())) > 1:
            raise DataError(f"the columns of a table are equally long, not {lengths}")
        types = {
            name: self.types.get(name) or natural_type(column.dtype, column.shape)
            for name, column in self.columns.items()
        }
        object.__setattr__(self, "types", types)

    @property
    def rows(self) -> int:
        return len(next(iter(self.columns.values())))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of one value of every column: () for a number, (8, 8) for a small image."""
        return {name: tuple(column.shape[1:]) for name, column in self.columns.items()}

    def take(self, index: NDArray[np.intp] | slice) -> "Table":
        """The rows that the index names, in its order; of columns that lie in a file, they are not read yet."""
        return Table({name: picked(column, index) for name, column in self.columns.items()}, self.types)

    def read(self) -> "Table":
        """The same rows in memory."""
        return Table(read_columns(self.columns), self.types)

    def plain(self) -> "Table":
        """The same rows in memory, numbers and truth values as floats however they are spelled."""
        pairs = {name: plain(column[slice(None)], self.types[name]) for name, column in self.columns.items()}
        return Table({name: pair[0] for name, pair in pairs.items()}, {name: pair[1] for name, pair in pairs.items()})

    def select(self, names: Iterable[str]) -> "Table":
        """The named columns, in this order."""
        chosen = list(names)
        return Table({n: self.columns[n] for n in chosen}, {n: self.types[n] for n in chosen})

    def whole(self, name: str) -> NDArray[Any]:
        """All stored values of a column that is small enough for memory: a target, a group, a mark."""
        return self.columns[name][slice(None)]

    def values(self, name: str, rows: slice = slice(None)) -> list[Any]:
        """The values of a column as they are sent in JSON; None where they are missing."""
        return self.types[name].decoded(self.columns[name][rows])

    def blocks(self, names: Iterable[str] | None = None) -> Iterator["Table"]:
        """The rows in order, some at a time, as arrays in memory."""
        table = self if names is None else self.select(names)
        width = sum(int(np.prod(shape)) for shape in table.shapes.values())
        step = max(1, BLOCK // max(1, width))
        for start in range(0, table.rows, step):
            yield table.take(slice(start, start + step)).read()


def stacked(tables: Sequence[Table]) -> Table:
    """All rows of tables with the same columns, one table after the other."""
    if len(tables) == 1:
        return tables[0]
    first = tables[0]
    return Table({name: chained([table.columns[name] for table in tables]) for name in first.columns}, first.types)
