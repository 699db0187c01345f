"""Columns that stay in their file until rows of them are asked for.

Columns of single numbers that share a dtype lie in one row-major block, so that a row is read at once. Rows are
read by `preadv` into memory that the caller may reuse; nothing is mapped, so that the address space holds no
more than the rows asked for.
"""

import os
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError

NEAR = 16 << 10  # bytes: unwanted rows up to here are read along rather than skipped by another call
SPARSE = 4  # of so many rows in a row not even one is wanted: reading them all beforehand does not pay
SPAN = 1 << 20  # bytes read at a time where rows are picked out of what was read

Index: TypeAlias = NDArray[np.intp]
Wanted: TypeAlias = Index | slice
Values: TypeAlias = NDArray[Any]


class Block(Protocol):
    """Rows of one dtype and shape, wherever they are."""

    @property
    def dtype(self) -> np.dtype[Any]: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for blocks that read the same rows."""
        ...

    def read(self, wanted: Wanted, out: Values | None = None) -> Values:
        """The wanted rows in their order, in `out` or in new memory, or as a view of what is in memory."""
        ...

    def places(self) -> Index:
        """Where each row lies, so that reading in this order goes through the file from front to back."""
        ...

    def expect(self, rows: slice) -> None:
        """Have the system begin to read a run of rows that will be asked for soon; only a hint."""
        ...


class RowFile:
    """A file open for reading; closed with the last block that reads it."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._descriptor)

    def read(self, offset: int, out: Values) -> None:
        """Fill contiguous memory with the bytes that begin there."""
        view = out.reshape(-1).view(np.uint8).data
        while view:
            count = os.preadv(self._descriptor, [view], offset)
            if not count:
                raise DataError("the dataset's file ends before its last row; upload the dataset again")
            view, offset = view[count:], offset + count

    def expect(self, offset: int, size: int) -> None:
        """Have the system begin to read these bytes, where it takes such hints."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._descriptor, offset, size, os.POSIX_FADV_WILLNEED)


@dataclass(frozen=True, eq=False)
class FileBlock:
    """Rows one after the other in a file."""

    file: RowFile
    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def key(self) -> tuple[object, ...]:
        return (id(self),)

    def places(self) -> Index:
        return np.arange(self.shape[0])

    def expect(self, rows: slice) -> None:
        start, stop, _ = rows.indices(self.shape[0])
        self.file.expect(self.offset + start * self._stride, max(0, stop - start) * self._stride)

    def read(self, wanted: Wanted, out: Values | None = None) -> Values:
        count = _count(wanted, self.shape[0])
        if out is None:
            out = np.empty((count, *self.shape[1:]), self.dtype)
        if isinstance(wanted, slice):
            start, _, step = wanted.indices(self.shape[0])
            if step == 1 and count:
                self.file.read(self.offset + start * self._stride, out)
                return out
            wanted = np.arange(start, start + step * count, step)
        self._gather(wanted, out)
        return out

    @property
    def _stride(self) -> int:
        return prod(self.shape[1:]) * self.dtype.itemsize

    def _gather(self, wanted: Index, out: Values) -> None:
        """Rows near each other by one call, front to back, whatever the order they are wanted in."""
        if not len(wanted):
            return
        if wanted.min() < -self.shape[0] or wanted.max() >= self.shape[0]:
            raise IndexError(f"row {wanted.max()} of {self.shape[0]}")
        wanted = np.where(wanted < 0, wanted + self.shape[0], wanted)
        order: Index | None = None
        if len(wanted) > 1 and (wanted[1:] < wanted[:-1]).any():
            order = np.argsort(wanted, kind="stable")
            wanted = wanted[order]
        stride = max(1, self._stride)
        step = max(1, SPAN // stride)
        scratch = np.empty((0, *self.shape[1:]), self.dtype)
        steps = wanted[1:] - wanted[:-1]
        breaks = np.flatnonzero(steps * stride > NEAR + stride) + 1
        once = order is None and bool(steps.all())  # otherwise as many rows as there are places may be others
        for first, last in zip([0, *breaks.tolist()], [*breaks.tolist(), len(wanted)], strict=True):
            while first < last:
                begin = int(wanted[first])
                end = first + int(np.searchsorted(wanted[first:last], begin + step))
                rows = int(wanted[end - 1]) - begin + 1
                if once and rows == end - first:
                    self.file.read(self.offset + begin * stride, out[first:end])
                else:
                    if len(scratch) < rows:
                        scratch = np.empty((rows, *self.shape[1:]), self.dtype)
                    self.file.read(self.offset + begin * stride, scratch[:rows])
                    out[slice(first, end) if order is None else order[first:end]] = scratch[wanted[first:end] - begin]
                first = end


@dataclass(frozen=True, eq=False)
class ArrayBlock:
    """Rows that are in memory already."""

    array: Values

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def key(self) -> tuple[object, ...]:
        return (id(self.array),)

    def places(self) -> Index:
        return np.arange(len(self.array))

    def expect(self, rows: slice) -> None:
        pass  # it is there

    def read(self, wanted: Wanted, out: Values | None = None) -> Values:
        if out is None:
            return self.array[wanted]
        if isinstance(wanted, slice):
            np.copyto(out, self.array[wanted])
        else:
            np.take(self.array, wanted, axis=0, out=out, mode="wrap")  # "raise" would buffer the output
        return out


@dataclass(frozen=True, eq=False)
class PickedBlock:
    """Some rows of a block, in an order of their own."""

    block: Block
    index: Wanted

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.block.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return (_count(self.index, self.block.shape[0]), *self.block.shape[1:])

    @property
    def key(self) -> tuple[object, ...]:
        return (*self.block.key, id(self.index))

    def places(self) -> Index:
        return self.block.places()[self.index]

    def expect(self, rows: slice) -> None:
        within = self._within(rows)
        if isinstance(within, slice):
            within = np.arange(*within.indices(self.block.shape[0]))
        if len(within) and np.ptp(within) < SPARSE * len(within):
            self.block.expect(slice(int(within.min()), int(within.max()) + 1))

    def read(self, wanted: Wanted, out: Values | None = None) -> Values:
        return self.block.read(self._within(wanted), out)

    def _within(self, wanted: Wanted) -> Wanted:
        """The same rows as the block itself counts them."""
        if not isinstance(self.index, slice):
            return self.index[wanted]
        rows = range(self.block.shape[0])[self.index]
        if not isinstance(wanted, slice):
            return rows.start + rows.step * np.where(wanted < 0, wanted + len(rows), wanted)
        rows = rows[wanted]
        if not rows:  # ends such as -1 would mean other rows in a slice than they do in a range
            return slice(0, 0)
        return slice(rows.start, rows.stop if rows.stop >= 0 else None, rows.step)


@dataclass(frozen=True, eq=False)
class ChainedBlock:
    """The rows of several blocks, one block after the other."""

    blocks: tuple[Block, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.result_type(*[block.dtype for block in self.blocks])

    @property
    def shape(self) -> tuple[int, ...]:
        return (sum(block.shape[0] for block in self.blocks), *self.blocks[0].shape[1:])

    @property
    def key(self) -> tuple[object, ...]:
        return tuple(block.key for block in self.blocks)

    def expect(self, rows: slice) -> None:
        start, stop, _ = rows.indices(self.shape[0])
        for first, block in zip(self._starts(), self.blocks, strict=True):
            if first < stop and start < first + block.shape[0]:
                block.expect(slice(max(0, start - first), stop - first))

    def places(self) -> Index:
        starts = self._starts()
        return np.concatenate([start + block.places() for start, block in zip(starts, self.blocks, strict=True)])

    def read(self, wanted: Wanted, out: Values | None = None) -> Values:
        if isinstance(wanted, slice):
            wanted = np.arange(*wanted.indices(self.shape[0]))
        else:
            wanted = np.where(wanted < 0, wanted + self.shape[0], wanted)
            if len(wanted) and not 0 <= wanted.min() <= wanted.max() < self.shape[0]:
                raise IndexError(f"rows {wanted.min()} to {wanted.max()} of {self.shape[0]}")
        if out is None:
            out = np.empty((len(wanted), *self.shape[1:]), self.dtype)
        for start, block in zip(self._starts(), self.blocks, strict=True):
            here = np.flatnonzero((wanted >= start) & (wanted < start + block.shape[0]))
            if len(here):
                out[here] = block.read(wanted[here] - start)
        return out

    def _starts(self) -> list[int]:
        return [0, *np.cumsum([block.shape[0] for block in self.blocks[:-1]]).tolist()]


@dataclass(frozen=True, eq=False)
class BlockColumn:
    """A column of a table whose rows are read when they are asked for.

    `place` is the column's number in a block of numbers; None where the column is the whole block.
    """

    block: Block
    place: int | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.block.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.block.shape if self.place is None else self.block.shape[:1]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __len__(self) -> int:
        return self.block.shape[0]

    def __getitem__(self, wanted: Any, /) -> Values:
        if not isinstance(wanted, slice):
            wanted = np.asarray(wanted)
            wanted = np.flatnonzero(wanted) if wanted.dtype == bool else wanted.astype(np.intp, copy=False)
        return self.of(self.block.read(wanted))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Values:
        return np.asarray(self[slice(None)], dtype)

    def of(self, rows: Values) -> Values:
        """This column of rows that were read from its block."""
        return rows if self.place is None else rows[:, self.place]

    def take(self, index: Wanted) -> "BlockColumn":
        """Some rows, not read yet."""
        return BlockColumn(PickedBlock(self.block, index), self.place)


def picked(column: Any, index: Wanted) -> Any:
    """Some rows of a column; those of a stored one are not read yet."""
    return column.take(index) if isinstance(column, BlockColumn) else column[index]


def chained(columns: Sequence[Any]) -> Any:
    """The rows of several columns; where one is stored, they are not read yet."""
    if not any(isinstance(column, BlockColumn) for column in columns):
        return np.concatenate(columns)
    parts = [column if isinstance(column, BlockColumn) else BlockColumn(ArrayBlock(column)) for column in columns]
    if len({part.place for part in parts}) == 1:
        return BlockColumn(ChainedBlock(tuple(part.block for part in parts)), parts[0].place)
    # A part that is in memory has its own columns; the others are read to match it.
    return np.concatenate([part[slice(None)] for part in parts])


def read_columns(columns: Mapping[str, Any], wanted: Wanted = slice(None)) -> dict[str, Values]:
    """Rows of several columns in memory; what shares a block is read once."""
    read: dict[tuple[object, ...], Values] = {}
    found: dict[str, Values] = {}
    for name, column in columns.items():
        if not isinstance(column, BlockColumn):
            found[name] = column[wanted]
            continue
        key = column.block.key
        if key not in read:
            read[key] = column.block.read(wanted)
        found[name] = column.of(read[key])
    return found


def blocks_of(columns: Iterable[Any]) -> dict[tuple[object, ...], Block]:
    """The blocks that columns are read from, each once."""
    blocks: dict[tuple[object, ...], Block] = {}
    for column in columns:
        block = column.block if isinstance(column, BlockColumn) else ArrayBlock(column)
        blocks.setdefault(block.key, block)
    return blocks


def _count(wanted: Wanted, rows: int) -> int:
    return len(range(rows)[wanted]) if isinstance(wanted, slice) else len(wanted)
