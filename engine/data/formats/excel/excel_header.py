"""Where the table of a sheet begins, and what its columns are called: by the rules of CSV, on typed cells."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.data.formats.column_names import check_names, cleaned
from engine.data.formats.csv.csv_header import UNNAMED, are_row_numbers, are_units, made_up, verdict
from engine.data.formats.csv.csv_options import HeaderOptions
from engine.data.formats.guess import Guess
from engine.data.reading.cell_values import number_in, number_label, shown
from engine.errors import DataError

Row = tuple[int, Sequence[Any]]  # its number in the sheet, and its cells as `excel_decoder` writes them


@dataclass(frozen=True)
class Header:
    """The number of the first row of data, the names of columns by their places, and those that had none themselves.

    Rows of the same cells as the header are no data.
    """

    begin: int
    names: Mapping[int, str]
    unnamed: frozenset[str] = frozenset()
    cells: Sequence[Any] = ()
    guesses: tuple[Guess, ...] = ()


def header_of(rows: Sequence[Row], options: HeaderOptions) -> Header:
    """The header among the first rows that hold cells; DataError where they may be names as well as data."""
    if not rows:
        raise DataError("the sheet holds no cells; a table has a header row and at least two rows")
    guesses: list[Guess] = []
    place = _top(rows, options, guesses)
    number, cells = rows[place]
    texts = [_text(cell) for cell in cells]
    below = [[_text(cell) for cell in row] for _, row in rows[place + 1 :]]
    if not _is_header(number, texts, below, options, guesses):
        names = dict(enumerate(made_up(len(texts))))
        return Header(number, names, guesses=tuple(guesses))
    begin = number + 1
    if _units(rows[place + 1 :], below, options, guesses):
        begin, below = rows[place + 1][0] + 1, below[1:]
    names = {column: cleaned(text) for column, text in enumerate(texts)}
    if (not names[0] or UNNAMED.fullmatch(names[0])) and _is_index([row[0] for row in below], options, guesses):
        del names[0]
    unnamed = {column: made_up(column + 1)[-1] for column, name in names.items() if not name}
    names |= unnamed
    check_names(list(names.values()))
    return Header(begin, names, frozenset(unnamed.values()), cells, tuple(guesses))


def said_of_unnamed(header: Header, kept: Sequence[str]) -> Iterator[Guess]:
    """What is said of columns that have cells and no name."""
    for name in kept:
        if name in header.unnamed:
            yield Guess.of("name", f"a column has no name, and is called {name!r}", lines=(header.begin - 1,))


def _top(rows: Sequence[Row], options: HeaderOptions, guesses: list[Guess]) -> int:
    """The place of the row that may be the header: where it was told to be, or below a title."""
    told = options.header
    if told is not None and not isinstance(told, bool):
        place = next((place for place, (number, _) in enumerate(rows) if number == told), None)
        if place is None:
            raise DataError(f"header={told} names row {told}, which is none of the first rows that hold cells")
        return place
    most = max(sum(cell is not None for cell in cells) for _, cells in rows)
    place = 0
    while most > 1 and place < len(rows) - 1 and _is_title(rows[place][1]):
        place += 1
    if not place or not all(isinstance(cell, str | None) for cell in rows[place][1]):  # what follows is no header
        return 0
    title, header = shown(_text(rows[0][1][0])), rows[place][0]
    detail = f"{title} was passed over as a title above the header, which is row {header}"
    lines = tuple(number for number, _ in rows[:place])
    guesses.append(Guess.of("title", detail, f"header={header}", lines))
    return place


def _is_title(cells: Sequence[Any]) -> bool:
    return cells[0] is not None and all(cell is None for cell in cells[1:])


def _is_header(
    number: int, texts: Sequence[str], below: Sequence[Sequence[str]], options: HeaderOptions, guesses: list[Guess]
) -> bool:
    if options.header is not None:
        return options.header is not False
    found = verdict(texts, below)
    if found != "data" and all(number_in(text) is not None for text in texts if text):
        raise DataError(
            f"row {number} holds only numbers, such as {shown(next(filter(None, texts)))}; send header=true if these "
            "are the names of columns, header=false if they are data"
        )
    if found == "data":
        some = shown(", ".join(texts[:3]))
        detail = f"row {number} looks like data ({some}), so there is no header; if it holds names, send header=true"
        guesses.append(Guess.of("header", detail, "header=false", (number,)))
    return found != "data"


def _units(rows: Sequence[Row], below: Sequence[Sequence[str]], options: HeaderOptions, guesses: list[Guess]) -> bool:
    if not rows or options.units == "keep" or (options.units is None and not are_units(below[0], below[1:])):
        return False
    if options.units is None:
        number, some = rows[0][0], shown(", ".join(filter(None, below[0])))
        detail = f"row {number} holds units ({some}) and was left out; send units=keep if it is data"
        guesses.append(Guess.of("units", detail, "units=drop", (number,)))
    return True


def _is_index(cells: Sequence[str], options: HeaderOptions, guesses: list[Guess]) -> bool:
    if options.index is not None:
        return options.index == "drop"
    if not are_row_numbers(cells):
        return False
    detail = "column 1 has no name and holds row numbers; it was left out. Send index=keep to have it"
    guesses.append(Guess.of("index", detail, "index=drop"))
    return True


def _text(cell: Any) -> str:
    """A cell as it would stand in CSV."""
    if isinstance(cell, dict):
        (cell,) = cell.values()
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, int | float):
        return number_label(cell)
    return "" if cell is None else str(cell).strip()
