"""Sheets of Excel and OpenDocument workbooks, by calamine, in a process of its own whose memory has a bound.

A few bytes of a workbook may stand for gigabytes, as it is a zip, and one cell may span a sheet.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, ClassVar, Literal

from pydantic import Field

from engine.data.column_types import AnyColumnType
from engine.data.dataset import Dataset
from engine.data.formats.csv.csv_options import HeaderOptions
from engine.data.formats.excel.excel_header import Header, Row, header_of, said_of_unnamed
from engine.data.formats.guess import Guess
from engine.data.formats.incoming import Incoming
from engine.data.formats.limits import ReadLimits
from engine.data.formats.reading_process import read_frame, reading
from engine.data.formats.typed_columns import EXACT, Batch, TypedColumns, as_moments
from engine.data.reading.cell_values import MISSING
from engine.errors import DataError
from engine.spelling import did_you_mean

DECODER = Path(__file__).with_name("excel_decoder.py")
DAMAGED = (
    "the workbook cannot be read within a gigabyte of memory: it is damaged, or stands for far more than it holds; "
    "save the sheet as CSV"
)
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
HEAD = 50  # rows among which the header is
BATCH = 1 << 14  # cells looked at together


class ExcelFormat(HeaderOptions):
    """One sheet: a header row, then one cell a column, typed as it is; blank cells and errors are missing.

    Dates are dates, and durations seconds. Blank rows are skipped, and so is a title above the header.
    """

    type: Literal["excel"] = Field("excel", description="A sheet of a workbook, with a header row.")
    sheet: str | None = Field(None, description="The sheet to read; null takes the first one that has cells.")
    media_types: ClassVar[tuple[str, ...]] = (
        SHEET,
        "application/vnd.ms-excel",
        "application/vnd.ms-excel.sheet.macroenabled.12",
        "application/vnd.ms-excel.sheet.binary.macroenabled.12",
        "application/vnd.oasis.opendocument.spreadsheet",
    )
    endings: ClassVar[Mapping[str, str]] = dict.fromkeys((".xlsx", ".xls", ".xlsm", ".xlsb", ".ods"), SHEET)

    def read(self, path: Path, limits: ReadLimits | None = None) -> Dataset:
        """One table in memory; DataError names the row of what cannot be used."""
        return Dataset({part: table.table() for part, table in self.incoming(path, limits).items()})

    def incoming(self, path: Path, limits: ReadLimits | None = None) -> dict[str, Incoming]:
        """The table "all": its columns, and its rows block by block."""
        limits = limits or ReadLimits()
        sheet = _Sheet(path, self.sheet, self, limits)
        columns = TypedColumns(sheet.batches, path.parent, limits, missing=self.told_missing, of_words=MISSING)
        incoming = columns.incoming()
        types = {name: sheet.type_of(name, held) for name, held in incoming.types.items()}
        guesses = (*sheet.guesses(incoming.types), *incoming.guesses)
        return {"all": replace(incoming, types=types, guesses=guesses)}


class _Sheet:
    """The rows of a sheet, and what the cells of each column were, apart from numbers, texts, true and false."""

    def __init__(self, path: Path, wanted: str | None, options: HeaderOptions, limits: ReadLimits) -> None:
        self._path, self._wanted, self._options, self._limits = path, wanted, options, limits
        self._name, self._sheets = "", [""]
        self._header = Header(0, {})
        self._repeated: list[int] = []  # rows that are the header once more
        self._kinds: dict[str, set[str]] = {}  # date, time, seconds, and cell for any other

    def batches(self) -> Iterator[Batch]:
        """Rows below the header that follow each other."""
        with reading(DECODER, self._path, [self._wanted or ""], DAMAGED) as frames:
            head = read_frame(frames, DAMAGED) or {}
            if "unknown" in head:
                raise DataError(
                    f"there is no sheet {self._wanted!r}. {did_you_mean(str(self._wanted), head['sheets'])}"
                )
            self._name, self._sheets, width = head["sheet"], head["sheets"], head["columns"]
            if width > self._limits.max_features:
                raise DataError(f"the sheet has {width} columns; at most {self._limits.max_features} are allowed")
            rows = _rows(frames)
            first = list(islice(rows, HEAD))
            header = self._header = header_of(first, self._options)
            self._repeated = []
            self._kinds = {name: set() for name in header.names.values()}
            below: list[Row] = []
            for number, cells in chain([row for row in first if row[0] >= header.begin], rows):
                if cells == header.cells:
                    self._repeated.append(number)
                    continue
                if below and (number != below[0][0] + len(below) or len(below) * width > BATCH):
                    yield self._batch(below)
                    below = []
                below.append((number, cells))
            if below:
                yield self._batch(below)

    def type_of(self, name: str, held: AnyColumnType) -> AnyColumnType:
        """Dates and times of day are such, however few they are."""
        if self._kinds[name] == {"date"}:
            return as_moments(held, "dates")
        return as_moments(held, "times") if self._kinds[name] == {"time"} else held

    def guesses(self, kept: Mapping[str, AnyColumnType]) -> Iterator[Guess]:
        """What the sheet does not say itself."""
        if self._wanted is None and len(self._sheets) > 1:
            other = next(name for name in self._sheets if name != self._name)
            yield Guess.of(
                "sheet", f"{self._name!r} is the sheet that was read, of {len(self._sheets)}", f"sheet={other}"
            )
        yield from self._header.guesses
        yield from said_of_unnamed(self._header, list(kept))
        if self._repeated:
            detail = (
                f"the header stands in the sheet once more, first in row {self._repeated[0]}; it was left out there"
            )
            yield Guess.of("repeated header", detail, lines=tuple(self._repeated))
        for name in kept:
            if self._kinds[name] == {"seconds"}:
                yield Guess.of("unit", f"column {name!r} holds durations; they are read as numbers of seconds")
            if "rounded" in self._kinds[name]:
                yield Guess.of(
                    "type",
                    f"column {name!r} holds whole numbers beyond ±2⁵³, which a sheet keeps to 15 digits only: type in "
                    "identifiers as text",
                )

    def _batch(self, rows: Sequence[Row]) -> Batch:
        columns = {}
        for place, name in self._header.names.items():
            cells = [cells[place] for _, cells in rows]
            if name not in self._header.unnamed or any(cell is not None for cell in cells):
                columns[name] = [self._value(name, cell) for cell in cells]
        return Batch(rows[0][0], len(rows), columns)

    def _value(self, name: str, cell: Any) -> Any:
        if isinstance(cell, dict):
            ((kind, cell),) = cell.items()
            self._kinds[name].add(kind)
        elif cell is not None:
            beyond = isinstance(cell, float) and cell.is_integer() and abs(cell) > EXACT
            self._kinds[name].add("rounded" if beyond else "cell")
        return cell


def _rows(frames: IO[bytes]) -> Iterator[Row]:
    while (frame := read_frame(frames, DAMAGED)) is not None:
        yield from enumerate(frame["rows"], frame["first"])
