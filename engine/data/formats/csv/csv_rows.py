"""Some rows of a CSV file: the numbers in them, and the words.

Compiled code reads what is plainly rows of cells, quoted or not; Python's csv module reads everything else, and
everything until the code is compiled. Both find the same, and only the latter finds fault.
"""

import csv
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property
from math import isinf
from threading import Lock, Thread
from types import ModuleType
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.data.formats.csv.csv_dialect import Dialect
from engine.data.formats.csv.csv_ragged import faulty, ragged
from engine.data.formats.csv.csv_text import Blocks, Lines
from engine.data.formats.limits import ReadLimits
from engine.data.formats.words import Codes, Words
from engine.data.reading.cell_values import is_missing, is_shortest, number_in
from engine.errors import DataError

FEW_ODD = 256  # cells of a block that compiled code leaves to Python; room for more is made when it is needed

Numbers = NDArray[np.float64]


class Strange(NamedTuple):
    """A cell of a column of numbers that is neither one, nor missing; or that is infinite."""

    row: int
    column: int
    cell: str


@dataclass(frozen=True)
class Layout:
    """Which columns hold numbers and which words."""

    columns: int
    words: tuple[int, ...]
    many: frozenset[int] = frozenset()  # columns of numbers whose spellings are too many to matter

    @cached_property
    def numbers(self) -> list[int]:
        """The columns of numbers, in order."""
        words = set(self.words)
        return [column for column in range(self.columns) if column not in words]

    @cached_property
    def targets(self) -> NDArray[np.int32]:
        """For every column its place among the numbers, or −1 − its place among the words."""
        targets = np.empty(self.columns, np.int32)
        targets[self.numbers] = np.arange(len(self.numbers))
        targets[list(self.words)] = -1 - np.arange(len(self.words))
        return targets


class Rows(Protocol):
    """Rows in their order."""

    @property
    def numbers(self) -> Numbers | NDArray[np.uint8]:
        """(rows, columns of numbers), as bytes where all are; NaN for what is missing, or no number."""

    @property
    def strange(self) -> list[Strange]: ...

    @property
    def unusual(self) -> list[int]:
        """Columns of numbers with a cell that is not spelled the shortest way, or is a word for what is missing."""

    def codes(self, place: int, words: Words) -> Codes:
        """The words of a column, by its place among those of words, as numbers."""

    def line(self, row: int) -> int:
        """Where the row begins in the file."""


@dataclass(frozen=True)
class SplitRows:
    """Rows as Python's csv module reads them."""

    rows: list[list[str]]
    lines: list[int]
    layout: Layout
    numbers: Numbers = field(init=False)
    strange: list[Strange] = field(init=False, default_factory=list)
    unusual: list[int] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        columns = self.layout.numbers
        numbers = np.full((len(self.rows), len(columns)), np.nan)
        unusual = set[int]()
        for number, row in enumerate(self.rows):
            for place, column in enumerate(columns):
                found = _understood(row[column])
                if found is None or isinf(found):
                    self.strange.append(Strange(number, column, row[column]))
                if found is not None:
                    numbers[number, place] = found
                if column not in unusual and (cell := row[column].strip()) and not is_shortest(cell):
                    unusual.add(column)
        object.__setattr__(self, "numbers", numbers)
        self.unusual.extend(sorted(unusual - self.layout.many))

    def codes(self, place: int, words: Words) -> Codes:
        column = self.layout.words[place]
        return words.codes(row[column] for row in self.rows)

    def line(self, row: int) -> int:
        return self.lines[row]


@dataclass(frozen=True)
class ScannedRows:
    """Rows as compiled code finds them in a block of lines."""

    block: Lines
    numbers: Numbers | NDArray[np.uint8]
    strange: list[Strange]
    unusual: list[int]
    words: NDArray[np.int32]  # (columns of words, rows, first byte and end)
    begins: NDArray[np.int32]  # first byte of each row

    def codes(self, place: int, words: Words) -> Codes:
        return words.scanned_codes(self.block.raw, self.words[place, : len(self.begins)])

    def line(self, row: int) -> int:
        return self.block.number + self.block.raw.count(b"\n", 0, int(self.begins[row]))


def scanned(compiled: ModuleType, block: Lines, dialect: Dialect, layout: Layout) -> ScannedRows | None:
    """The rows of a block; None where it is for Python to say what they are."""
    raw, columns = block.raw, layout.columns
    most = min(raw.count(b"\n"), len(raw) // columns)
    numbers = np.empty((most, columns - len(layout.words)))
    words = np.empty((len(layout.words), most, 2), np.int32)
    begins = np.empty(most, np.int32)
    text, targets, delimiter = np.frombuffer(raw, np.uint8), layout.targets, ord(dialect.delimiter)
    done, room, unusual = compiled.MORE_ODD, FEW_ODD, np.isin(layout.numbers, list(layout.many)).astype(np.uint8)
    while done == compiled.MORE_ODD:
        odd = np.empty((room, 4), np.int32)
        done, rows, odds = compiled.scan(text, delimiter, dialect.spaced, targets, numbers, words, begins, odd, unusual)
        room = numbers.size
    if done != compiled.DONE:
        return None
    strange: list[Strange] = []
    known, wordy = layout.numbers, set[int]()
    for row, place, start, end in odd[:odds].tolist():
        if place in wordy:  # by an earlier cell, so that the rest is read once more anyway
            continue
        cell = (raw[start:end] if end >= 0 else raw[start:~end].replace(b'""', b'"')).decode()
        number = _understood(cell)
        if number is None or isinf(number):
            strange.append(Strange(row, known[place], cell))
        if number is None:
            wordy.add(place)
        else:
            numbers[row, place] = number
            unusual[place] |= not is_shortest(cell.strip())
    numbers, narrow = numbers[:rows], np.empty((rows, len(known)), np.uint8)
    found = narrow if compiled.narrowed(numbers.reshape(-1), narrow.reshape(-1)) else numbers
    spelled = [column for place in np.flatnonzero(unusual).tolist() if (column := known[place]) not in layout.many]
    return ScannedRows(block, found, strange, spelled, words, begins[:rows])


def split(block: Lines, blocks: Blocks, dialect: Dialect, layout: Layout, limits: ReadLimits) -> SplitRows:
    """The rows of a block, and of those behind it while a quote is open; DataError for what is no CSV."""
    lines = _PythonLines(block, blocks, limits)
    reader = dialect.reader(lines)
    rows, numbers = [], []
    while lines.pending:
        number = lines.number
        try:
            row = next(reader, [])
        except csv.Error as error:
            raise faulty(number, lines.last, str(error)) from None
        if row and (len(row) > 1 or layout.columns == 1 or row[0].strip()):
            if len(row) != layout.columns:
                raise ragged(number, row, layout.columns)
            rows.append(row)
            numbers.append(number)
    return SplitRows(rows, numbers, layout)


class _PythonLines:
    """Lines for Python's csv module, which asks for more as long as a quote is open."""

    def __init__(self, block: Lines, blocks: Blocks, limits: ReadLimits) -> None:
        self._blocks, self._limits = blocks, limits
        self.number = block.number
        self.pending = deque(_decoded(block))
        self._open = 0  # bytes read while more were asked for
        self.last = ""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if not self.pending:
            more = next(self._blocks)
            opened, self._open = self._open, self._open + len(more.raw)
            if opened > self._limits.max_line:
                raise DataError(
                    f"a quote that is opened before line {more.number} is not closed within "
                    f"{self._limits.max_line} bytes; check the quotes"
                )
            self.pending.extend(_decoded(more))
        self.number += 1
        self.last = self.pending.popleft()
        return self.last


def _decoded(block: Lines) -> Iterator[str]:
    return (line.decode() + "\n" for line in block.split())


def _understood(cell: str) -> float | None:
    """The number in a cell, NaN where it is missing, None where it is something else."""
    if not cell:
        return np.nan
    number = number_in(cell)
    return np.nan if number is None and is_missing(cell) else number


class Compiler:
    """Compiled code that is made, or fetched from its cache, by a thread of its own when it is first asked for."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._thread: Thread | None = None
        self._made: Future[ModuleType] = Future()

    def scan(self, *, wait: bool = False) -> ModuleType | None:
        """The module `csv_scan`; None while it is not there, unless it is waited for."""
        if not self._made.done():
            with self._lock:
                if self._thread is None or not (self._thread.is_alive() or self._made.done()):  # a fork has no threads
                    self._thread = Thread(target=self._make, name="csv-scan", daemon=True)
                    self._thread.start()
            if not wait:
                return None
        return self._made.result()

    def _make(self) -> None:
        try:
            from engine.data.formats.csv import csv_scan
        except BaseException as error:  # it is raised where the code is wanted
            self._made.set_exception(error)
        else:
            self._made.set_result(csv_scan)


COMPILER = Compiler()
