"""Where a job's examples are while it trains: scaled in memory, raw in memory, or raw in their file.

What fits into the memory that a job may take is held as the floats that the network reads. What does not stays
as it is stored, a byte a pixel, and becomes floats batch by batch; what is too much even so stays in its file.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from engine.data.storage.stored_columns import ArrayBlock, Block, BlockColumn, FileBlock, blocks_of
from engine.data.table import Table

Held = Literal["memory", "rows", "file"]

SOON = 16  # runs of rows that the system is asked to begin reading before their turn comes


@dataclass(frozen=True)
class Holding:
    """How the examples of a job are held."""

    held: Held = "memory"  # as floats, as raw rows, or in the file
    rows: int = 0
    bytes: int = 0  # of the inputs, as they are held


def arranged(parts: Mapping[str, Table], memory_bytes: int | None) -> dict[str, Table]:
    """The parts read into memory; or, where their raw rows do not fit, in the order of their file, unread."""
    if memory_bytes is None or sum(map(_raw_bytes, parts.values())) <= memory_bytes:
        return {part: _resident(table) for part, table in parts.items()}
    return {part: _in_file_order(table) for part, table in parts.items()}


def held(
    parts: Mapping[str, Table], n_in: int, dtype: DTypeLike, memory_bytes: int | None, *, augmented: bool
) -> Holding:
    """How to hold parts that `arranged` returned, each row of which becomes n_in numbers of this dtype."""
    rows = sum(table.rows for table in parts.values())
    raw, floats = sum(map(_raw_bytes, parts.values())), rows * n_in * np.dtype(dtype).itemsize
    if any(in_file(table) for table in parts.values()):
        return Holding("file", rows, raw)
    if augmented or (memory_bytes is not None and raw + floats > memory_bytes):
        return Holding("rows", rows, raw)
    return Holding("memory", rows, floats)


def in_file(table: Table) -> bool:
    """Whether rows of the table are read from a file when they are used."""
    return any(not isinstance(block, ArrayBlock) for block in _blocks(table))


class Window:
    """Memory for so many rows of a table; what it is filled with overwrites what was there."""

    def __init__(self, table: Table, rows: int) -> None:
        self._blocks = blocks_of(table.columns.values())
        self._memory = {key: np.empty((rows, *b.shape[1:]), b.dtype) for key, b in self._blocks.items()}
        held = {key: ArrayBlock(memory) for key, memory in self._memory.items()}
        columns = {
            name: BlockColumn(held[column.block.key], column.place)
            if isinstance(column, BlockColumn)
            else BlockColumn(held[ArrayBlock(np.asarray(column)).key])
            for name, column in table.columns.items()
        }
        self.table = Table(columns, table.types)
        self.numbers: NDArray[np.intp] = np.empty(rows, np.intp)  # of each row, in the table
        self.rows = 0

    def fill(self, runs: Sequence[slice]) -> Iterator[None]:
        """Read some runs of rows, one at every step."""
        self.rows = 0
        for place, run in enumerate(runs):
            for soon in runs[:SOON] if place == 0 else runs[place + SOON - 1 : place + SOON]:
                for block in self._blocks.values():
                    block.expect(soon)
            stop = self.rows + run.stop - run.start
            for key, block in self._blocks.items():
                block.read(run, self._memory[key][self.rows : stop])
            self.numbers[self.rows : stop] = np.arange(run.start, run.stop)
            self.rows = stop
            yield


def row_bytes(table: Table) -> int:
    """Of one row, as it is stored."""
    return sum(map(_width, _blocks(table)))


def _blocks(table: Table) -> list[Block]:
    return list(blocks_of(table.columns.values()).values())


def _width(block: Block) -> int:
    return prod(block.shape[1:]) * block.dtype.itemsize


def _raw_bytes(table: Table) -> int:
    return table.rows * row_bytes(table)


def _resident(table: Table) -> Table:
    """The table with every block of it in memory."""
    read = {
        key: block if isinstance(block, ArrayBlock) else ArrayBlock(block.read(slice(None)))
        for key, block in blocks_of(table.columns.values()).items()
    }
    return Table(
        {
            name: BlockColumn(read[column.block.key], column.place) if isinstance(column, BlockColumn) else column
            for name, column in table.columns.items()
        },
        table.types,
    )


def _in_file_order(table: Table) -> Table:
    """The rows as they follow each other in the file: reading them block by block then moves forward only."""
    block = next((block for block in _blocks(table) if not isinstance(block, ArrayBlock)), None)
    if block is None or isinstance(block, FileBlock):
        return table
    places = block.places()
    return table if (places[1:] >= places[:-1]).all() else table.take(np.argsort(places, kind="stable"))
