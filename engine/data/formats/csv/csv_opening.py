"""The beginning of a CSV file: what stands above the table, how its cells are set apart, what its columns are called.

All of it is found in the first lines, and what was guessed is said.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from engine.data.formats.column_names import check_names, cleaned
from engine.data.formats.csv.csv_dialect import (
    DELIMITERS,
    Dialect,
    Row,
    Shape,
    heads,
    is_quoted_whole,
    rows_of,
    sniffed,
)
from engine.data.formats.csv.csv_header import UNNAMED, are_row_numbers, are_units, made_up, only_numbers, verdict
from engine.data.formats.csv.csv_options import NAMED, CsvOptions
from engine.data.formats.csv.csv_text import Lines
from engine.data.formats.guess import Guess
from engine.data.reading.cell_values import number_in, shown
from engine.errors import DataError

SNIFFED = 200  # lines
MOST_SNIFFED = 1 << 17  # bytes of them, the first line besides
HASH = "#"
_SEP = re.compile(r'"?sep=(.)"?;*', re.IGNORECASE)  # a line for Excel, which says what sets cells apart

Left = Literal["index", "blank"]


@dataclass(frozen=True)
class Opening:
    """What the first lines of a file say.

    columns are the names, or why a column is left out; the table's first row begins `begin` lines below the file's
    first. Lines that are like `header` are no rows, nor are those that begin with `comment`.
    """

    dialect: Dialect
    columns: tuple[tuple[str, Left | None], ...]
    begin: int
    header: bytes
    comment: bytes
    guesses: tuple[Guess, ...]

    @property
    def names(self) -> list[str]:
        """Of the columns that are kept."""
        return [name for name, left in self.columns if left is None]

    @property
    def kept(self) -> list[int]:
        """The places of the columns that are kept."""
        return [place for place, (_, left) in enumerate(self.columns) if left is None]


def opening_of(first: Lines, options: CsvOptions, most_columns: int, *, usual: str = ",") -> Opening:
    """Look at the first lines of a file; DataError for what has no table, or one whose header cannot be used."""
    raw = first.raw.split(b"\n", SNIFFED)[:SNIFFED] if first.raw.count(b"\n") > SNIFFED else first.split()
    size, lines = 0, list[str]()
    for line in raw:
        size += len(line)
        if lines and size > MOST_SNIFFED:
            break
        lines.append(line.decode().removesuffix("\r"))
    return _Opener(raw, lines, options, usual).opening(most_columns)


class _Opener:
    """The steps from the first line to the first row; `at` is the line that was come to, counted from 0."""

    def __init__(self, raw: Sequence[bytes], lines: Sequence[str], options: CsvOptions, usual: str) -> None:
        self._raw, self._lines, self._options, self._usual = raw, lines, options, usual
        self._guesses: list[Guess] = []
        self._at = 0
        self._delimiter = options.delimiter
        # The line of the header is told: nothing above it is looked for.
        self._exact = options.header is not None and not isinstance(options.header, bool)

    def opening(self, most_columns: int) -> Opening:
        told = self._options.header
        self._sep()
        if self._exact and told is not None:
            if told > len(self._lines):
                raise DataError(
                    f"header={told} names line {told}; the header has to be among the first {SNIFFED} lines"
                )
            self._at = told - 1
        comment = self._comments()
        shape = self._sniffed()
        if not shape.rows:
            raise DataError("the file holds no rows; a CSV dataset has a header row and at least two rows")
        if shape.width == 1 and self._delimiter is None and is_quoted_whole(self._lines[self._at :]):
            raise DataError(
                f"line {self._number(0)} and those below stand in quotes as a whole, so that each is one cell; quote "
                "cells and not lines, or send delimiter=bar if the lines are meant"
            )
        top = shape.rows[0 if self._exact else shape.first]
        self._title(top, shape)
        width = len(top.cells) if self._exact and len(top.cells) > shape.width else shape.width
        rows = [row for row in shape.rows if row.begin > top.begin]
        below = [row.cells for row in rows if len(row.cells) == width and row.cells != top.cells]
        if max(width, len(top.cells)) > most_columns:
            count = max(width, len(top.cells))
            raise DataError(f"the header names {count} columns; at most {most_columns} are allowed")
        if self._is_header(top, below):
            columns = self._named(self._names(top.cells), width, below)
            begin, header = top.end, b"\n".join(self._raw[self._at + top.begin : self._at + top.end])
            if self._units(rows, below):
                begin = rows[0].end
        else:
            columns, begin, header = [(name, None) for name in made_up(width)], top.begin, b""
        check_names([name for name, left in columns if left is None])
        if not any(left is None for _, left in columns):
            raise DataError("the file has a column of row numbers and no other")
        dialect = shape.dialect
        return Opening(
            dialect,
            tuple(columns),
            self._at + begin,
            header
            if len(columns) > 1
            else b"",  # a lone column's cell may be its name: nothing tells it from the header
            comment.encode(),
            tuple(self._guesses),
        )

    def _number(self, line: int) -> int:
        """What people call a line that is counted from the one that was come to."""
        return self._at + line + 1

    def _sep(self) -> None:
        if self._lines and (said := _SEP.fullmatch(self._lines[0].rstrip(" "))):
            self._delimiter = self._delimiter or said[1]
            self._at = 1

    def _comments(self) -> str:
        """Pass over lines above the table that begin with a mark; the mark, if lines do that."""
        told, end = self._options.comment, self._at
        mark = HASH if told is None else told
        if not mark or self._exact:
            return told or ""
        while end < len(self._lines) and (self._lines[end].startswith(mark) or not self._lines[end].strip()):
            end += 1
        marked = [line for line in range(self._at, end) if self._lines[line].startswith(mark)]
        if not marked:
            return told or ""
        last, self._at = marked[-1], end
        if self._is_named(last, self._sniffed()):
            # Its name may begin with the mark, as #chrom does; or all lines of another make have it, as NumPy's.
            self._at = last
            if len(marked) > 1 or self._lines[last][1:2].isspace():
                self._lines = [*self._lines[:last], self._lines[last][1:].lstrip(), *self._lines[last + 1 :]]
                detail = f"the {mark} in front of the header in line {last + 1} was left out; comment=none keeps it"
                self._guesses.append(Guess.of("header mark", detail, "", (last + 1,)))
            marked = marked[:-1]
        if told is not None or not marked:
            return told or ""
        lines = tuple(line + 1 for line in marked)
        count = f"{len(lines)} lines" if len(lines) > 1 else f"line {lines[0]}"
        detail = f"{count} above the table, and others that begin with {mark!r}, were passed over as comments"
        self._guesses.append(Guess.of("comment", detail, f"comment={NAMED.get(mark, mark)}", lines))
        return mark

    def _is_named(self, line: int, shape: Shape) -> bool:
        """Whether a marked line right above a table is its header."""
        if not shape.rows or shape.first or self._options.header is False:
            return len(self._lines) == line + 1
        marked = rows_of([self._lines[line]], shape.dialect) or []
        below = [row.cells for row in shape.rows if len(row.cells) == shape.width]
        if not below or [len(row.cells) for row in marked] != [shape.width]:
            return False
        return shape.width > 2 or (not heads(below[0], below[1:]) and (shape.width > 1 or len(below) > 1))

    def _sniffed(self) -> Shape:
        escape = {"backslash": "\\", "none": "", None: None}[self._options.escape]
        return sniffed(self._lines[self._at :], self._delimiter or DELIMITERS, escape)

    def _title(self, top: Row, shape: Shape) -> None:
        """Say what was passed over, and what sets cells apart."""
        above = [row for row in shape.rows if row.begin < top.begin and any(cell.strip() for cell in row.cells)]
        if above:
            lines = tuple(self._number(row.begin) for row in above)
            what = f"line {lines[0]}" if len(lines) == 1 else f"{len(lines)} lines"
            title = shown(" ".join(" ".join(above[0].cells).split()))
            detail = (
                f"{what} above the header, {title}, was passed over as a title; the header is line "
                f"{self._number(top.begin)}"
            )
            self._guesses.append(Guess.of("title", detail, f"header={self._number(top.begin)}", lines))
        delimiter = shape.dialect.delimiter
        if shape.width > 1 and self._delimiter is None and delimiter != self._usual:
            name = NAMED.get(delimiter, delimiter)
            detail = f"cells are set apart by {delimiter!r}, {name}, which makes {shape.width} columns"
            self._guesses.append(Guess.of("delimiter", detail, f"delimiter={name}"))
        if shape.dialect.escape and self._options.escape is None:
            detail = (
                "a backslash in front of a quote or a delimiter was taken for an escape, as MySQL and Spark write it"
            )
            self._guesses.append(Guess.of("escape", detail, "escape=backslash"))

    def _is_header(self, top: Row, below: Sequence[Sequence[str]]) -> bool:
        told = self._options.header
        if told is not None:
            return told is not False
        line = self._number(top.begin)
        found = verdict(top.cells, below)
        if found == "unclear" and all(kind.strip() == "" or _is_number(kind) for kind in top.cells):
            raise only_numbers(top.cells, line)
        if found != "data":
            return True
        some = ", ".join(cell.strip() for cell in top.cells[:3])
        detail = (
            f"line {line} looks like data ({shown(some)}), so there is no header and the columns are named column_1 to "
            f"column_{len(top.cells)}; if it holds the names, send header=true"
        )
        self._guesses.append(Guess.of("header", detail, "header=false", (line,)))
        return False

    def _names(self, cells: Sequence[str]) -> list[str]:
        return [cleaned(cell) for cell in cells]

    def _named(self, names: list[str], width: int, below: Sequence[Sequence[str]]) -> list[tuple[str, Left | None]]:
        """The columns by their names in the header, which may be one too few or one too many."""
        if len(names) == width + 1 and not names[-1]:
            names = names[:-1]
            self._say_end(width + 1)
        columns: list[tuple[str, Left | None]] = [(name, None) for name in names]
        if len(names) == width - 1 and below:
            if all(not row[-1].strip() for row in below):
                self._say_end(width)
                return [*columns, ("", "blank")]
            return [self._index("", [row[0] for row in below]), *columns]
        while len(columns) > 1 and not names[len(columns) - 1] and _all_blank(below, len(columns) - 1):
            columns[len(columns) - 1 :] = []
        blank = len(names) - len(columns)
        if blank:
            self._say_end(len(columns) + 1)
        if names and len(names) > 1 and (not names[0] or UNNAMED.fullmatch(names[0])):
            columns[0] = self._index(names[0], [row[0] for row in below])
        columns += [("", "blank") for _ in range(blank)]
        return columns

    def _say_end(self, column: int) -> None:
        detail = f"lines end with a delimiter, so that column {column} has no name and no value; it was left out"
        self._guesses.append(Guess.of("trailing delimiter", detail))

    def _index(self, name: str, cells: Sequence[str]) -> tuple[str, Left | None]:
        """What becomes of a first column without a name of its own."""
        numbers, told = are_row_numbers(cells), self._options.index
        if told == "drop" or (told is None and numbers):
            if told is None:
                detail = "column 1 has no name and holds row numbers; it was left out. Send index=keep to have it"
                self._guesses.append(Guess.of("index", detail, "index=drop"))
            return name, "index"
        name = name or made_up(1)[0]
        if told is None:
            detail = f"column 1 has no name, and is called {name!r}"
            self._guesses.append(Guess.of("name", detail, "index=keep"))
        return name, None

    def _units(self, rows: Sequence[Row], below: Sequence[Sequence[str]]) -> bool:
        told = self._options.units
        if not rows or told == "keep" or (told is None and self._options.header not in (None, True)):
            return False
        if told is None and not are_units(rows[0].cells, [cells for cells in below if cells != rows[0].cells]):
            return False
        if told is None:
            line = self._number(rows[0].begin)
            some = shown(", ".join(cell.strip() for cell in rows[0].cells if cell.strip()))
            detail = f"line {line} holds units ({some}) and was left out; send units=keep if it is data"
            self._guesses.append(Guess.of("units", detail, "units=drop", (line,)))
        return True


def _all_blank(rows: Sequence[Sequence[str]], place: int) -> bool:
    return bool(rows) and all(place < len(row) and not row[place].strip() for row in rows)


def _is_number(cell: str) -> bool:
    return number_in(cell) is not None
