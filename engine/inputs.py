"""Where a set's inputs come from: floats that are all in memory, or raw rows that become floats batch by batch.

Rows from a file come in blocks of consecutive rows: the blocks in random order, a window of them in memory at a
time, its rows shuffled among each other. Every row comes once an epoch, and the order depends on the seed, the
epoch and the stored rows only, not on how much memory there is.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import cycle, pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from engine.data.encoding.preprocessor import Preprocessor
from engine.data.holding import Window, in_file, row_bytes
from engine.data.table import Table
from engine.parameters import Array
from engine.random_streams import RandomStreams
from engine.read_ahead import ahead
from engine.variation import Variation

Rows: TypeAlias = NDArray[np.intp]
Chosen: TypeAlias = tuple[Table, Rows, Rows]
"""A table in memory, the numbers that its rows have in the set, and which of them come next."""

BLOCK_BYTES = 256 << 10  # of consecutive rows, read at a time: a disk is no slower so than from end to end
WINDOW_BLOCKS = 128  # whose rows are shuffled among each other
WINDOWS = 3  # in memory: one being read, one being used, and one of which the last rows may still be
PIECES = 8  # of a window, between which the next one is read
AHEAD = 2  # portions of batches made before they are wanted
READ_AHEAD = 4  # pieces of a window read before they are wanted: fewer than it has
LEAST = 64  # rows that are worth a thread
PORTION = 1 << 19  # inputs at least in a portion, so that handing it over costs nothing
GATHERED = 1 << 22  # inputs in a portion that several threads gather and then take steps with: waking them costs more
CACHED = 1 << 16  # inputs made at a time: as float64 they stay in a core's cache
COLUMN_ROWS = 4  # but so many rows for every column, whose fixed work is then small; up to four portions


class Batch(NamedTuple):
    """The numbers of some rows, their inputs if these are made already, and the epoch in which they are to vary.

    A portion is a large one, to be taken in batches of the size that it was made for.
    """

    rows: Rows | slice
    X: Array | None = None
    epoch: int | None = None

    @property
    def size(self) -> int:
        return self.rows.stop - self.rows.start if isinstance(self.rows, slice) else len(self.rows)

    def part(self, start: int, end: int) -> "Batch":
        """Some of the rows, as views."""
        rows = self.rows
        some = slice(rows.start + start, rows.start + end) if isinstance(rows, slice) else rows[start:end]
        return Batch(some, None if self.X is None else self.X[start:end], self.epoch)

    def batches(self, size: int) -> Iterator["Batch"]:
        """All of the rows, a batch at a time."""
        for start in range(0, self.size, size):
            yield self.part(start, min(start + size, self.size))


class Inputs(ABC):
    """The inputs of m examples (m × n_in)."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def load(self, rows: Rows | slice, out: Array) -> Array:
        """The inputs of some rows, in `out` or as a view of what is in memory."""

    @abstractmethod
    def portions(
        self, size: int, *, epoch: int | None = None, streams: RandomStreams | None = None, skip: int = 0
    ) -> Iterator[Batch]:
        """All rows, some batches of this size at a time, the last perhaps shorter; with streams in random order.

        The first `skip` rows of the epoch's order are left out. Rows vary, where they do, in an epoch only: those
        that are measured stay as they are.
        """

    def batches(
        self, size: int, *, epoch: int | None = None, streams: RandomStreams | None = None, skip: int = 0
    ) -> Iterator[Batch]:
        """The same, a single batch at a time."""
        for portion in self.portions(size, epoch=epoch, streams=streams, skip=skip):
            yield from portion.batches(size)


class Matrix(Inputs):
    """Inputs that are all in memory; a batch of consecutive ones is never copied."""

    def __init__(self, x: Array, dtype: DTypeLike) -> None:
        self.x: Array = np.ascontiguousarray(x, dtype)

    def __len__(self) -> int:
        return len(self.x)

    def load(self, rows: Rows | slice, out: Array) -> Array:
        if isinstance(rows, slice):
            return self.x[rows]
        return np.take(self.x, rows, axis=0, out=out, mode="clip")  # other modes buffer the output

    def portions(
        self, size: int, *, epoch: int | None = None, streams: RandomStreams | None = None, skip: int = 0
    ) -> Iterator[Batch]:
        m = len(self.x)
        yield Batch(slice(skip, m) if streams is None else streams.order(epoch or 0, m)[skip:])


class RawRows(Inputs):
    """Rows as they are stored, in memory or in their file, made inputs by the code that prediction uses."""

    def __init__(
        self, table: Table, preprocessor: Preprocessor, dtype: DTypeLike, varied: Variation | None = None
    ) -> None:
        self.table, self.preprocessor, self.dtype, self.varied = table, preprocessor, np.dtype(dtype), varied
        self.in_file = in_file(table)
        self.block = max(1, BLOCK_BYTES // max(1, row_bytes(table)))
        n_in = preprocessor.n_in
        self.together = max(1, CACHED // n_in, min(COLUMN_ROWS * len(table.columns), 4 * PORTION // n_in))

    def __len__(self) -> int:
        return self.table.rows

    def load(self, rows: Rows | slice, out: Array) -> Array:
        self.preprocessor.features(self.table.take(rows).read(), self.dtype, out)
        return out

    def portions(
        self, size: int, *, epoch: int | None = None, streams: RandomStreams | None = None, skip: int = 0
    ) -> Iterator[Batch]:
        """Those of a portion last until the next one is asked for.

        Rows are read, and what takes long to make of them is made, ahead by a thread. What one pass makes is made
        when it is wanted, by all threads: one that makes it beside those that take steps would hold all of them up.
        """
        varied = self.varied if epoch is not None else None
        windows = self._windows(epoch or 0, streams, skip)
        if varied is None and self.preprocessor.is_one_array:
            from engine.kernels.blas import threads  # compiled code: loaded by those who use it

            count = threads()
            with closing(ahead(windows, READ_AHEAD)) as read, ThreadPoolExecutor(count, "gather") as pool:
                for rows, X in self._portions(size, read, partial(self._gather, pool, count), at_once=True):
                    yield Batch(rows, X, epoch)
            return
        make = self._make if varied is None or epoch is None else partial(self._vary, varied, epoch)
        with closing(ahead(self._portions(size, windows, make, at_once=False), AHEAD)) as portions:
            for rows, X in portions:
                yield Batch(rows, X, epoch)

    def _portions(
        self, size: int, windows: Iterator[Chosen], make: Callable[[Table, Rows, Rows, Array], None], *, at_once: bool
    ) -> Iterator[tuple[Rows, Array]]:
        """Some batches at a time, in memory that is used again and again.

        What is made `at_once` is made when it is wanted, always in one place; what is made ahead has places of its own.
        """
        n_in = self.preprocessor.n_in
        wanted_rows = GATHERED // n_in if at_once else max(PORTION // n_in, self.together)
        most = min(size * max(1, wanted_rows // size), len(self))
        together = most if at_once else self.together
        buffers = cycle([np.empty((most, n_in), self.dtype) for _ in range(1 if at_once else AHEAD + 2)])
        X, rows, filled = next(buffers), np.empty(most, np.intp), 0
        for table, numbers, wanted in windows:
            while len(wanted):
                count = min(together, most - filled)
                now, wanted = wanted[:count], wanted[count:]
                end = filled + len(now)
                rows[filled:end] = numbers[now]
                make(table, now, rows[filled:end], X[filled:end])
                filled = end
                if filled == most:
                    yield rows, X
                    X, rows, filled = next(buffers), np.empty(most, np.intp), 0
        if filled:
            yield rows[:filled], X[:filled]

    def _gather(
        self, pool: ThreadPoolExecutor, threads: int, table: Table, chosen: Rows, numbers: Rows, out: Array
    ) -> None:
        """Make inputs of the chosen rows, this thread and others each a share of them."""
        shares = max(1, min(threads, len(chosen) // LEAST))
        cuts = [len(chosen) * share // shares for share in range(shares + 1)]
        parts = [(chosen[a:b], out[a:b]) for a, b in pairwise(cuts)]
        others = [pool.submit(self.preprocessor.gathered, table, some, self.dtype, X) for some, X in parts[1:]]
        self.preprocessor.gathered(table, parts[0][0], self.dtype, parts[0][1])
        for other in others:
            other.result()

    def _make(self, table: Table, chosen: Rows, numbers: Rows, out: Array) -> None:
        self.preprocessor.gathered(table, chosen, self.dtype, out)

    def _vary(self, varied: Variation, epoch: int, table: Table, chosen: Rows, numbers: Rows, out: Array) -> None:
        self.preprocessor.features(varied.of(table.take(chosen).read(), numbers, epoch), self.dtype, out)

    def _windows(self, epoch: int, streams: RandomStreams | None, skip: int) -> Iterator[Chosen]:
        """All rows in their order, some at a time; windows whose rows are all skipped are not read."""
        m = len(self)
        if not self.in_file:
            order = np.arange(m) if streams is None else streams.order(epoch, m)
            yield self.table, np.arange(m), order[skip:]
            return
        runs = [slice(start, min(start + self.block, m)) for start in range(0, m, self.block)]
        if streams is not None:
            runs = [runs[place] for place in streams.order(epoch, len(runs))]
        blocks = PIECES if streams is None else WINDOW_BLOCKS  # what is not shuffled needs no large window
        groups = [runs[start : start + blocks] for start in range(0, len(runs), blocks)]
        first = 0
        while first < len(groups) and skip >= (rows := sum(run.stop - run.start for run in groups[first])):
            skip -= rows
            first += 1
        room = min(blocks * self.block, m)
        windows = [Window(self.table, room) for _ in groups[first : first + WINDOWS]]
        for _ in windows[0].fill(groups[first]) if windows else ():
            pass
        for place in range(first, len(groups)):
            window = windows[(place - first) % WINDOWS]
            following = groups[place + 1] if place + 1 < len(groups) else []
            reading = windows[(place - first + 1) % WINDOWS].fill(following) if following else iter(())
            order = np.arange(window.rows) if streams is None else streams.order(epoch, window.rows, place)
            for piece in np.array_split(order[skip:], PIECES):
                yield window.table, window.numbers, piece
                for _, _ in zip(range(blocks // PIECES), reading, strict=False):
                    pass
            for _ in reading:
                pass
            skip = 0
