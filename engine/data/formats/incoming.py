"""A table on its way from an uploaded file: read block by block into whatever keeps it.

A format finds out first what the columns are, and then gives their rows as often as it is asked to.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.column_types import AnyColumnType
from engine.data.formats.guess import Guess
from engine.data.table import Table

Block = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class MatrixBlock(Mapping[str, NDArray[Any]]):
    """A block of which some columns, by their places, are those of one row-major matrix."""

    matrix: NDArray[Any]
    places: Mapping[str, int]
    others: Mapping[str, NDArray[Any]]

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.matrix[:, self.places[name]] if name in self.places else self.others[name]

    def __iter__(self) -> Iterator[str]:
        yield from self.places
        yield from self.others

    def __len__(self) -> int:
        return len(self.places) + len(self.others)


@dataclass(frozen=True)
class Incoming:
    """What a file holds, and its rows in blocks of arrays, every column in its final dtype and codes.

    shapes are those of one value, as in `Table.shapes`. `blocks` reads the file anew at each call and keeps
    one block in memory; it raises DataError where the file cannot be used. `guesses` are what the format was not told.
    """

    rows: int
    types: Mapping[str, AnyColumnType]
    dtypes: Mapping[str, np.dtype[Any]]
    shapes: Mapping[str, tuple[int, ...]]
    blocks: Callable[[], Iterator[Block]]
    guesses: tuple[Guess, ...] = ()

    @classmethod
    def of(cls, table: Table) -> "Incoming":
        """A table that is there already, on its way to a file."""
        dtypes = {name: column.dtype for name, column in table.columns.items()}
        return cls(table.rows, table.types, dtypes, table.shapes, lambda: map(_arrays, table.blocks()))

    def table(self) -> Table:
        """All rows in memory."""
        columns = {n: np.empty((self.rows, *self.shapes[n]), self.dtypes[n]) for n in self.types}
        start = 0
        for block in self.blocks():
            stop = start + len(next(iter(block.values())))
            for name, column in columns.items():
                column[start:stop] = block[name]
            start = stop
        return Table(columns, self.types)


def _arrays(table: Table) -> Block:
    return {name: column[:] for name, column in table.columns.items()}
