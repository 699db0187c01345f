"""The text of a CSV file: checked bytes a block at a time, in whole lines, and how its cells are set apart."""

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.data.formats.limits import ReadLimits
from engine.errors import DataError

BLOCK = 1 << 20  # bytes
MOST_JOINED = 4  # blocks
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
            end = text.rfind(b"\n") + 1
            raw, rest = text[:end], text[end:]
            if len(rest) > limits.max_line:
                raise DataError(f"line {number} or later is longer than {limits.max_line} bytes; check line ends")
            if raw:
                if not raw.isascii():
                    _check_utf8(raw, number)
                yield Lines(number, raw)
                number += raw.count(b"\n")
            if not read:
                return


class Blocks:
    """Blocks of lines one after the other, of which some may be put back."""

    def __init__(self, blocks: Iterator[Lines]) -> None:
        self._blocks, self._returned = blocks, deque[Lines]()

    def __iter__(self) -> "Blocks":
        return self

    def __next__(self) -> Lines:
        return self._returned.popleft() if self._returned else next(self._blocks)

    def whole(self) -> Lines | None:
        """The next block, with those behind it as long as a quote seems to be open at its end; None at the end."""
        block = next(self, None)
        if block is None or not block.raw.count(b'"') % 2:
            return block
        joined = [block]
        for more in self:
            joined.append(more)
            if more.raw.count(b'"') % 2 or len(joined) == MOST_JOINED:
                break
        return Lines(block.number, b"".join(lines.raw for lines in joined))

    def put_back(self, blocks: list[Lines]) -> None:
        """Give these out once more, before all others."""
        self._returned.extendleft(reversed(blocks))


def _check_utf8(raw: bytes, number: int) -> None:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        line = number + raw.count(b"\n", 0, error.start)
        raise DataError(
            f"the file is not UTF-8: byte 0x{raw[error.start]:02x} ({error.reason}) in line {line}; save it as UTF-8"
        ) from None
