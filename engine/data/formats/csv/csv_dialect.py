"""How the cells of a CSV file are set apart, and where in its first lines the table begins.

A delimiter is told by the rows that it makes: most of them have as many cells. What stands above the first such row
is a title, or a header that is one cell short, as rows end with a delimiter (spreadsheets) or begin with a name of
their own (R's write.table).
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from engine.data.reading.cell_values import is_missing, number_in

if TYPE_CHECKING:
    from _csv import Reader

DELIMITERS = ",;\t|"
AGREE = 0.9  # share of rows with as many cells, where a title stands above them
ENOUGH = 8  # rows of words alone, that as many commas by chance are unlikely
NOWHERE = "\0"  # no file that is read holds it
BACKSLASH = "\\"
_NUMERIC = re.compile(r"[^\w\s#@&/\\]*\d([\d.,:/' \u00a0\u202f-]*\d)?[^\w\s]*", re.ASCII)
_NULL = re.compile(r"(?<![^,;\t|\n])\\N(?=[,;\t|\r\n]|$)")  # MySQL's, a whole cell


@dataclass(frozen=True)
class Dialect:
    """What stands between two cells, whether a space behind it belongs to it, as in UCI's archive, and what escapes."""

    delimiter: str = ","
    spaced: bool = False
    escape: str = ""  # before quotes and delimiters, as MySQL and Spark write them; "" where quotes are doubled

    def reader(self, lines: Iterable[str], *, strict: bool = True, spaced: bool | None = None) -> "Reader":
        """Python's reader of these lines; spaced as told, or else as the dialect is."""
        if self.escape:
            lines = (_NULL.sub(r"\\\\N", line) for line in lines)
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            skipinitialspace=self.spaced if spaced is None else spaced,
            escapechar=self.escape or None,
            strict=strict,
        )


class Row(NamedTuple):
    """The cells of a row that is not blank, and where it begins and ends, counted from 0 in the lines given."""

    cells: list[str]
    begin: int
    end: int


@dataclass(frozen=True)
class Shape:
    """A dialect, the rows that it makes of some lines, and which of them the table's first is."""

    dialect: Dialect
    rows: Sequence[Row]
    first: int  # among the rows
    width: int  # cells of most rows

    @property
    def score(self) -> tuple[bool, int, bool, int]:
        """Better is more: rows agree, less stands above the table, the header agrees, more columns."""
        exact = len(self.rows[self.first].cells) == self.width
        return self.agreement >= AGREE, -self.first, exact, self.width

    @property
    def agreement(self) -> float:
        """The share of rows, from the second of the table on, that have as many cells as most."""
        below = self.below or [self.rows[self.first].cells]
        return sum(len(cells) == self.width for cells in below) / len(below)

    @property
    def below(self) -> list[list[str]]:
        """The cells of the rows below the first, without those that are like it: a header may stand there again."""
        top = self.rows[self.first].cells
        return [row.cells for row in self.rows[self.first + 1 :] if row.cells != top]


def sniffed(lines: Sequence[str], delimiters: str = DELIMITERS, escape: str | None = None) -> Shape:
    """The shape that fits the lines best, by commas where none does; the lines have no line ends.

    `escape` says what escapes; None: it is found out.
    """
    best: Shape | None = None
    for delimiter in delimiters:
        if not any(delimiter in line for line in lines):
            continue
        dialect = _escaped(lines, delimiter) if escape is None else Dialect(delimiter, escape=escape)
        found = _laid_out(lines, dialect)
        if found is not None and (best is None or found.score > best.score):
            best = found
    if best is None:
        return _alone(lines, Dialect(delimiters[0], escape=escape or ""))
    return replace(best, dialect=replace(best.dialect, spaced=_spaced(lines, best)))


def is_quoted_whole(lines: Sequence[str]) -> bool:
    """Whether every line stands in quotes as a whole, with a table's delimiters inside."""
    filled = [line.strip() for line in lines if line.strip()]
    if len(filled) < 2 or not all(len(line) > 1 and line[0] == line[-1] == '"' for line in filled):
        return False
    inside = sniffed([line[1:-1].replace('""', '"') for line in filled])
    return inside.width > 1 and not inside.first and heads(inside.rows[0].cells, inside.below)


def rows_of(lines: Sequence[str], dialect: Dialect) -> list[Row] | None:
    """The rows that are not blank, without a last one that is open at its end; None where there is no telling."""
    reader = dialect.reader((line + "\n" for line in lines), strict=False, spaced=True)
    rows, begin = [], 0
    try:
        for cells in reader:
            if len(cells) > 1 or (cells and cells[0].strip()):
                rows.append(Row(cells, begin, reader.line_num))
            begin = reader.line_num
    except csv.Error:
        return None
    if len(rows) > 1 and sum(line.count('"') for line in lines[rows[-1].begin :]) % 2:
        rows.pop()
    return rows


def _alone(lines: Sequence[str], dialect: Dialect) -> Shape:
    """The shape where no delimiter makes rows of one width: every line is one cell, or has what its delimiters say."""
    rows = rows_of(lines, dialect)
    if rows is None:
        rows = [Row([line], place, place + 1) for place, line in enumerate(lines) if line.strip()]
    return Shape(dialect, rows, 0, 1)


def _laid_out(lines: Sequence[str], dialect: Dialect) -> Shape | None:
    rows = rows_of(lines, dialect)
    if not rows:
        return None
    widths = [len(row.cells) for row in rows]
    counted = Counter(widths[1:] or widths)
    width = max(counted, key=lambda cells: (counted[cells], cells == widths[0], cells))
    if width < 2:
        return None
    for first, row in enumerate(rows):
        if not _filled(row.cells):
            continue
        found = Shape(dialect, rows, first, width)
        if len(row.cells) == width and not _is_title(row.cells, rows[first + 1 :]):
            return found if first == 0 or _tells(found) else None
        if _short_by_one(row.cells, found) or _long_by_one(row.cells, width):
            return found
        if not _is_title(row.cells, rows[first + 1 :]) and not (len(row.cells) == 1 or 2 * _filled(row.cells) <= width):
            return None
    return None


def _tells(found: Shape) -> bool:
    """Whether rows below a title are a table, and not sentences that have as many commas, or rows that are too long."""
    if found.agreement < AGREE:
        return False
    first, below = found.rows[found.first].cells, found.below
    if any(_filled(row.cells) > 1 and not _is_title(row.cells, found.rows) for row in found.rows[: found.first]):
        return heads(first, below)
    if found.width > 2 and len(below) >= ENOUGH:
        return True
    columns = zip(*below, strict=False)
    return heads(first, below) or any(all(kind_of(cell) == "number" for cell in column) for column in columns)


def _is_title(cells: Sequence[str], below: Sequence[Row]) -> bool:
    """One cell filled of several, where the rows below have more: how spreadsheets save a title."""
    return (
        len(cells) > 2 and _filled(cells) == 1 and bool(cells[0].strip()) and any(_filled(r.cells) > 2 for r in below)
    )


def _short_by_one(cells: Sequence[str], found: Shape) -> bool:
    """Whether this is a header above rows that end with a delimiter, or begin with a name of their own."""
    below = [row for row in found.below if len(row) == found.width]
    if len(cells) != found.width - 1 or found.agreement < AGREE or not below:
        return False
    if not all(cell.strip() for cell in cells) or any(number_in(cell) is not None for cell in cells):
        return False
    if all(not row[-1].strip() for row in below):
        return True
    own = [row[0] for row in below]
    if own in (_counted(0, own), _counted(1, own)):
        return True
    return (
        found.width > 2 and len(set(own)) == len(own) > 1 and not is_missing(own[0]) and not heads(below[0], below[1:])
    )


def heads(cells: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether one of the cells is a word above nothing but numbers, as only the name of a column is."""
    for cell, column in zip(cells, zip(*below, strict=False), strict=False):
        known = [other for other in column if not is_missing(other)]
        if known and not is_missing(cell) and kind_of(cell) == "word" and all(kind_of(o) == "number" for o in known):
            return True
    return False


def kind_of(cell: str) -> str:
    """Whether a cell is "number", also one with signs or separators, a date or a time of digits, or else "word"."""
    text = cell.strip()
    return "number" if number_in(text) is not None or _NUMERIC.fullmatch(text) else "word"


def _counted(start: int, own: Sequence[str]) -> list[str]:
    return [str(number) for number in range(start, start + len(own))]


def _long_by_one(cells: Sequence[str], width: int) -> bool:
    """Whether this is a header that ends with a delimiter, above rows that do not."""
    return len(cells) == width + 1 and not cells[-1].strip() and all(cell.strip() for cell in cells[:-1])


def _filled(cells: Sequence[str]) -> int:
    return sum(bool(cell.strip()) for cell in cells)


def _spaced(lines: Sequence[str], shape: Shape) -> bool:
    mark = shape.dialect.delimiter + " "
    below = [row for row in shape.rows[shape.first + 1 :] if row.end == row.begin + 1]
    return bool(below) and all(lines[row.begin].count(mark) >= shape.width - 1 for row in below)


def _escaped(lines: Sequence[str], delimiter: str) -> Dialect:
    """The dialect with this delimiter, and with escapes if it is only with them that the lines are CSV."""
    plain = Dialect(delimiter)
    if not any(BACKSLASH + '"' in line or BACKSLASH + delimiter in line for line in lines):
        return plain
    escaped = replace(plain, escape=BACKSLASH)
    return escaped if not _clean(lines, plain) and _clean(lines, escaped) else plain


def _clean(lines: Sequence[str], dialect: Dialect) -> bool:
    """Whether the lines are rows of one width, without a fault."""
    try:
        widths = {len(cells) for cells in dialect.reader(line + "\n" for line in lines) if cells}
    except csv.Error:
        return False
    return len(widths) == 1
