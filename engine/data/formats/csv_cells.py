"""Some rows of a CSV file: where their cells lie in the text, or the cells themselves where there are quotes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.data.formats.cell_values import number_in
from engine.data.formats.decimal_text import PAD, decimals
from engine.data.formats.words import Codes, Words

CHUNK = 1 << 14  # cells read together: their arrays stay in the cache
_POINT, _NEWLINE, _RETURN, _SPACE, _ZERO = b".\n\r 0"

Places = NDArray[np.intp]
Numbers = NDArray[np.float64]
Strange = list[tuple[int, int]]  # row and place among the columns asked for


class Cells(Protocol):
    """Rows of equally many cells."""

    @property
    def lines(self) -> Sequence[int]:
        """Where each row begins in the file."""

    def numbers(self, columns: Sequence[int]) -> tuple[Numbers, Strange]:
        """The numbers of some columns (rows × columns) and where, among them, a cell is none."""

    def codes(self, column: int, words: Words) -> Codes:
        """The column's words as numbers."""

    def cell(self, row: int, column: int) -> str: ...


@dataclass(frozen=True)
class PlainCells:
    """Cells without quotes, by their first place, decimal point and end in a buffer (each rows × columns)."""

    raw: bytes
    text: NDArray[np.uint8]  # the same
    starts: Places
    points: Places
    ends: Places
    lines: Sequence[int]

    @classmethod
    def of(
        cls, raw: bytes, columns: int, delimiter: str, lines: Sequence[int], *, spaced: bool = False
    ) -> "PlainCells | None":
        """The cells of whole lines, each ended by a newline; None where a line has more or fewer of them."""
        raw = b" " * PAD + raw
        text = np.frombuffer(raw, np.uint8)
        marks = np.flatnonzero((text == ord(delimiter)) | (text == _NEWLINE) | (text == _POINT))
        kinds = text[marks]
        pointed = kinds == _POINT
        if not pointed.any():
            ends = points = marks
        elif len(marks) % 2 == 0 and pointed[::2].all() and not pointed[1::2].any():  # one in every cell
            points, ends = marks[::2], marks[1::2]
            kinds = kinds[1::2]
        else:
            last = np.flatnonzero(~pointed)
            ends, kinds = marks[last], kinds[last]
            points = ends.copy()
            single = np.flatnonzero(np.diff(last, prepend=-1) == 2)  # with two points a cell is no number anyway
            points[single] = marks[last[single] - 1]
        if len(ends) != columns * len(lines):
            return None
        closed = (kinds == _NEWLINE).reshape(-1, columns)
        if closed[:, :-1].any() or not closed[:, -1].all():
            return None
        starts = np.empty_like(ends)
        starts[0], starts[1:] = PAD, ends[:-1] + 1
        grid = (len(closed), columns)
        starts, points, ends = starts.reshape(grid), points.reshape(grid), ends.reshape(grid)
        if (returned := text[ends[:, -1] - 1] == _RETURN).any():
            points, ends = points.copy(), ends.copy()
            points[:, -1] -= returned & (points[:, -1] == ends[:, -1])
            ends[:, -1] -= returned
        while spaced and (space := (text[starts] == _SPACE) & (starts < ends)).any():
            starts += space
        return cls(raw, text, starts, points, ends, lines)

    def numbers(self, columns: Sequence[int]) -> tuple[Numbers, Strange]:
        if not columns:
            return np.empty((len(self.lines), 0)), []
        every = len(columns) == self.starts.shape[1]
        starts, points, ends = (
            (places if every else places[:, columns]).ravel() for places in (self.starts, self.points, self.ends)
        )
        values = np.empty(len(starts))
        odd: list[int] = []
        for at in range(0, len(starts), CHUNK):
            chunk = slice(at, at + CHUNK)
            begin, point, end = starts[chunk], points[chunk], ends[chunk]
            values[chunk], fine = decimals(self.text, begin, point, end)
            fine &= (self.text[begin] != _ZERO) | (point < end) | (end - begin < 2)  # a code such as 007
            if not fine.all():
                values[chunk][~fine] = np.nan
                odd += (np.flatnonzero(~fine & (begin < end)) + at).tolist()
        strange = []
        for place in odd:
            number = number_in(self._text(starts[place], ends[place]))
            if number is not None:
                values[place] = number
            if number is None or not np.isfinite(number):
                strange.append(divmod(place, len(columns)))
        return values.reshape(-1, len(columns)), strange

    def codes(self, column: int, words: Words) -> Codes:
        raw = self.raw
        bounds = zip(self.starts[:, column].tolist(), self.ends[:, column].tolist(), strict=True)
        return words.raw_codes([raw[start:end] for start, end in bounds])

    def cell(self, row: int, column: int) -> str:
        return self._text(self.starts[row, column], self.ends[row, column])

    def _text(self, start: int, end: int) -> str:
        return self.raw[start:end].decode()


@dataclass(frozen=True)
class QuotedCells:
    """Cells as Python's csv module reads them, row by row."""

    rows: list[list[str]]
    lines: Sequence[int]

    def numbers(self, columns: Sequence[int]) -> tuple[Numbers, Strange]:
        cells = [row[column] for row in self.rows for column in columns]
        if not cells:
            return np.empty((len(self.rows), len(columns))), []
        # A line break in a cell would be one too many; a cell that has one is no number.
        raw = "\n".join([cell if "\n" not in cell else "x" for cell in cells] + [""]).encode()
        plain = PlainCells.of(raw, 1, "\n", range(len(cells)))
        values, strange = plain.numbers([0]) if plain else (np.empty(0), [])  # one cell a line, so it is there
        return values.reshape(-1, len(columns)), [divmod(place, len(columns)) for place, _ in strange]

    def codes(self, column: int, words: Words) -> Codes:
        return words.codes(row[column] for row in self.rows)

    def cell(self, row: int, column: int) -> str:
        return self.rows[row][column]
