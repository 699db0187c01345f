"""The text of a CSV file: checked bytes a block at a time, in whole lines."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from engine.data.formats.csv.csv_encoding import Encoding, NotUtf8, decoded, opened
from engine.data.formats.limits import ReadLimits
from engine.errors import DataError

BLOCK = 1 << 20  # bytes
MOST_JOINED = 4  # blocks
UTF_8 = Encoding()


@dataclass(frozen=True)
class Lines:
    """Whole lines, each ended by a newline, and the number of the first."""

    number: int
    raw: bytes

    def split(self) -> list[bytes]:
        return self.raw.split(b"\n")[:-1]


def lines_of(source: Path | bytes, limits: ReadLimits, encoding: Encoding = UTF_8) -> Iterator[Lines]:
    """Whole lines of a file or of a body, as UTF-8 without NUL bytes.

    DataError names where it is something else, NotUtf8 where it is only in another encoding.
    """
    number, rest, old = 1, b"", False
    with opened(source) as file:
        file.seek(encoding.mark)
        pieces = iter(partial(file.read, BLOCK), b"")
        for read in chain(pieces if encoding.plain else decoded(pieces, encoding), [None]):
            if read is None:
                text = rest + b"\n" * bool(rest)
            else:
                if number == 1 and not rest:
                    old = b"\n" not in read and b"\r" in read  # lines end as on the first Macintosh
                text = rest + (read.replace(b"\r", b"\n") if old else read)
            if read is not None and b"\0" in read:
                line = number + text.count(b"\n", 0, text.index(b"\0"))
                raise DataError(
                    f"the file holds a NUL byte in line {line}: it is binary, damaged there, or in another encoding, "
                    "which encoding=… names"
                )
            end = text.rfind(b"\n") + 1
            raw, rest = text[:end], text[end:]
            if len(rest) > limits.max_line:
                raise DataError(f"line {number} or later is longer than {limits.max_line} bytes; check line ends")
            if raw:
                if not raw.isascii():
                    _check_utf8(raw, number)
                yield Lines(number, raw)
                number += raw.count(b"\n")


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
        raise NotUtf8(
            f"the file is not UTF-8: byte 0x{raw[error.start]:02x} ({error.reason}) in line {line}; save it as UTF-8, "
            "or name the encoding that it has, such as encoding=windows-1252"
        ) from None
