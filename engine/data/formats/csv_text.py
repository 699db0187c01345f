"""The text of a CSV file: checked bytes a block at a time, in whole lines, and how its cells are set apart."""

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.data.formats.csv_cells import Cells, PlainCells, QuotedCells
from engine.data.formats.limits import ReadLimits
from engine.errors import DataError

BLOCK = 1 << 18  # bytes
DELIMITERS = ",;\t|"
SNIFFED = 20  # lines
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Lines:
    """Whole lines, each ended by a newline, and the number of the first."""

    number: int
    raw: bytes

    def split(self) -> list[bytes]:
        return self.raw.split(b"\n")[:-1]


@dataclass(frozen=True)
class Dialect:
    """What stands between two cells, and whether a space behind it belongs to it, as in the UCI archive."""

    delimiter: str = ","
    spaced: bool = False

    @classmethod
    def sniffed(cls, lines: list[str]) -> "Dialect":
        """The delimiter that makes most cells of the header and as many of most other lines, else the comma."""
        best, widest, spaced = ",", 1, False
        for delimiter in DELIMITERS:
            try:
                rows = list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))
            except csv.Error:
                continue
            widths = [len(row) for row in rows if row]
            usual = max(set(widths), key=widths.count, default=1)
            if widths and widths[0] == usual > widest:
                below = [line for line, row in zip(lines[1:], rows[1:], strict=False) if row]
                best, widest = delimiter, usual
                spaced = all(line.count(delimiter + " ") >= usual - 1 for line in below)
        return cls(best, spaced)


def lines_of(path: Path, limits: ReadLimits) -> Iterator[Lines]:
    """Whole lines of UTF-8 without NUL bytes; DataError names where the file is something else."""
    number, rest, old = 1, b"", False
    with path.open("rb") as file:
        while True:
            read = file.read(BLOCK)
            if number == 1 and not rest:
                read = read.removeprefix(BOM)
                old = b"\n" not in read and b"\r" in read  # lines end as on the first Macintosh
            if old:
                read = read.replace(b"\r", b"\n")
            if b"\0" in read:
                raise DataError(f"the file holds a NUL byte after line {number}: it is binary, or UTF-16")
            text = rest + read if read else rest + b"\n" * bool(rest)
            whole, newline, rest = text.rpartition(b"\n")
            if len(rest) > limits.max_line:
                raise DataError(f"line {number} or later is longer than {limits.max_line} bytes; check line ends")
            if newline:
                raw = whole + newline
                if not raw.isascii():
                    _check_utf8(raw, number)
                yield Lines(number, raw)
                number += raw.count(b"\n")
            if not read:
                return


def cells_of(blocks: Iterator[Lines], dialect: Dialect, columns: int, limits: ReadLimits) -> Iterator[Cells]:
    """The rows below the header, a block of lines at a time; DataError for one that has not `columns` cells."""
    quoted = _QuotedLines(blocks, limits)
    reader = csv.reader(quoted, delimiter=dialect.delimiter, skipinitialspace=dialect.spaced, strict=True)
    while (block := quoted.next_block()) is not None:
        if b'"' not in block.raw:
            yield _plain(block, dialect, columns)
            continue
        quoted.begin(block)
        rows, numbers = [], []
        while quoted.pending:
            number = quoted.number
            try:
                row = next(reader, [])
            except csv.Error as error:
                raise DataError(f"line {number} is not CSV: {error}; check its quotes") from None
            if row and (len(row) > 1 or columns == 1 or row[0].strip()):
                if len(row) != columns:
                    raise _ragged(number, len(row), columns)
                rows.append(row)
                numbers.append(number)
        if rows:
            yield QuotedCells(rows, numbers)


class _QuotedLines:
    """Lines for Python's csv module, which asks for more as long as a quote is open."""

    def __init__(self, blocks: Iterator[Lines], limits: ReadLimits) -> None:
        self._blocks, self._limits = blocks, limits
        self.number = 1
        self.pending: deque[str] = deque()
        self._open = 0  # bytes read while more were asked for

    def next_block(self) -> Lines | None:
        return next(self._blocks, None)

    def begin(self, block: Lines) -> None:
        self.number = block.number
        self.pending.extend(line.decode() + "\n" for line in block.split())
        self._open = 0

    def __iter__(self) -> "_QuotedLines":
        return self

    def __next__(self) -> str:
        if not self.pending:
            more = next(self._blocks, None)
            if more is None:
                raise StopIteration
            opened, self._open = self._open, self._open + len(more.raw)
            if opened > self._limits.max_line:
                raise DataError(
                    f"a quote that is opened before line {more.number} is not closed within "
                    f"{self._limits.max_line} bytes; check the quotes"
                )
            self.pending.extend(line.decode() + "\n" for line in more.split())
        self.number += 1
        return self.pending.popleft()


def _plain(block: Lines, dialect: Dialect, columns: int) -> Cells:
    raw, count = block.raw, block.raw.count(b"\n")
    numbers = range(block.number, block.number + count)
    if columns > 1:
        cells = PlainCells.of(raw, columns, dialect.delimiter, numbers, spaced=dialect.spaced)
        if cells is not None:
            return cells
    # A blank line, or a row that is too short or too long.
    kept = [(n, line) for n, line in enumerate(block.split(), block.number) if line.strip()]
    delimiter = dialect.delimiter.encode()
    for number, line in kept:
        if columns > 1 and line.count(delimiter) + 1 != columns:
            raise _ragged(number, line.count(delimiter) + 1, columns)
    raw = b"".join(line + b"\n" for _, line in kept)
    if not kept:
        return QuotedCells([], [])
    cells = PlainCells.of(raw, columns, dialect.delimiter, [n for n, _ in kept], spaced=dialect.spaced)
    if cells is None:
        raise DataError(f"lines {block.number} to {block.number + count - 1} are not rows of {columns} cells")
    return cells


def _ragged(number: int, cells: int, columns: int) -> DataError:
    return DataError(f"line {number} has {cells} cells, but the header names {columns} columns")


def _check_utf8(raw: bytes, number: int) -> None:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        line = number + raw.count(b"\n", 0, error.start)
        raise DataError(
            f"the file is not UTF-8: byte 0x{raw[error.start]:02x} ({error.reason}) in line {line}; save it as UTF-8"
        ) from None
