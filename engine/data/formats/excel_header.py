"""Which row of a sheet names its columns, and how: above it may be a title, and before it an index without a name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.data.formats.column_names import check_names
from engine.data.formats.guess import Guess
from engine.data.reading.cell_values import shown
from engine.errors import DataError

Row = tuple[int, Sequence[Any]]  # its number in the sheet, and its cells as `excel_decoder` writes them


@dataclass(frozen=True)
class Header:
    """The number of the row, the names of the columns by their places, and those that had no name of their own."""

    row: int
    names: Mapping[int, str]
    unnamed: frozenset[str] = frozenset()
    guesses: tuple[Guess, ...] = ()


def header_of(rows: Sequence[Row]) -> Header:
    """The header among the first rows that hold cells; DataError where it looks like data."""
    if not rows:
        raise DataError("the sheet holds no cells; a table has a header row and at least two rows")
    most = max(_filled(cells) for _, cells in rows)
    guesses = []
    place = 0
    while most > 1 and place < len(rows) - 1 and _filled(rows[place][1]) == 1 and rows[place][1][0] is not None:
        place += 1
    if not all(isinstance(cell, str | None) for cell in rows[place][1]):  # what follows is no header
        place = 0
    if place:
        text = shown(str(_plain(rows[0][1][0])))
        lines = tuple(number for number, _ in rows[:place])
        guesses.append(Guess.of("title", f"{text} is taken for a title above the header, and left out", lines=lines))
    number, cells = rows[place]
    _check(number, [_plain(cell) for cell in cells if cell is not None])
    below = [row for _, row in rows[place + 1 :]]
    names: dict[int, str] = {}
    unnamed = []
    for column, cell in enumerate(cells):
        if cell is not None:
            names[column] = _name(_plain(cell))
        elif column == 0 and _counts([row[0] for row in below]):
            guesses.append(Guess.of("index", "the first column has no name and counts rows; it is left out"))
        else:
            names[column] = f"column {column + 1}"
            unnamed.append(names[column])
    check_names(list(names.values()))
    return Header(number, names, frozenset(unnamed), tuple(guesses))


def _filled(cells: Sequence[Any]) -> int:
    return sum(cell is not None for cell in cells)


def _plain(cell: Any) -> Any:
    return next(iter(cell.values())) if isinstance(cell, dict) else cell


def _name(cell: Any) -> str:
    if isinstance(cell, float):
        return str(int(cell))
    return " ".join(str(cell).split())


def _check(number: int, cells: Sequence[Any]) -> None:
    """Years may be names of columns, but not all of them, and no fractions."""
    odd = [cell for cell in cells if isinstance(cell, bool) or (isinstance(cell, float) and not cell.is_integer())]
    if odd or not any(isinstance(cell, str) for cell in cells):
        example = ", ".join(str(cell)[:20] for cell in cells[:3])
        raise DataError(f"row {number} looks like data ({example}); add a row above it that names the columns")


def _counts(cells: Sequence[Any]) -> bool:
    """Whether cells are 0, 1, 2, … or 1, 2, 3, …"""
    first = cells[0] if cells else None
    return first in (0, 1) and list(cells) == [first + place for place in range(len(cells))]
