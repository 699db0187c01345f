"""Comma-separated values under a header row, read block by block: the text is never in memory as a whole.

Two threads find the rows of the next blocks while those of the last are kept.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine.data.dataset import Dataset
from engine.data.formats.csv.csv_dialect import NOWHERE, Dialect
from engine.data.formats.csv.csv_encoding import HEAD as FIRST_BYTES
from engine.data.formats.csv.csv_encoding import Encoding, NotUtf8, encoding_of, guessed
from engine.data.formats.csv.csv_opening import Opening, opening_of
from engine.data.formats.csv.csv_options import CsvOptions
from engine.data.formats.csv.csv_rows import COMPILER, Layout, Rows, ScannedRows, Strange, scanned, split
from engine.data.formats.csv.csv_text import Blocks, Lines, lines_of
from engine.data.formats.csv.passed_over import PassedOver
from engine.data.formats.foreign_content import refuse_foreign
from engine.data.formats.incoming import Incoming
from engine.data.formats.intake import Intake
from engine.data.formats.limits import ReadLimits
from engine.data.formats.words import BLANK, MOST_SPELLINGS, Words
from engine.data.reading.cell_values import MISSING, shown
from engine.errors import DataError

FEWEST = 32  # rows that say how many spellings a column has
MANY = 0.7  # of the rows: codes and so many spellings would take more room than the numbers
READERS = 2  # threads
HEAD = 1 << 16  # bytes that are read before all others: most columns of words show there


class CsvFormat(CsvOptions):
    """A header row, then one cell a column; cells apart by , ; tab or |.

    A column is numbers, true and false, categories or text, as its cells are; `?`, NA, NaN, null or nothing is
    missing. Blank lines are skipped; rows are as long as the header. What stands around the table, as programs write
    it, is passed over and said; the options settle it.
    """

    type: Literal["csv"] = Field("csv", description="Delimited text under a header row.")
    media_types: ClassVar[tuple[str, ...]] = ("text/csv",)
    endings: ClassVar[Mapping[str, str]] = {".csv": "text/csv"}
    usual: ClassVar[str] = ","  # what sets cells apart without a word about it

    def read(self, path: Path, limits: ReadLimits | None = None) -> Dataset:
        """One table in memory; DataError names the line of what cannot be used."""
        return Dataset({part: table.table() for part, table in self.incoming(path, limits).items()})

    def incoming(self, path: Path, limits: ReadLimits | None = None) -> dict[str, Incoming]:
        """The table "all": its columns, and its rows block by block."""
        limits = limits or ReadLimits()
        with path.open("rb") as file:
            head = file.read(FIRST_BYTES)
        refuse_foreign(head)
        encoding = encoding_of(head, self.encoding)
        try:
            return {"all": _table(path, encoding, self, limits)}
        except NotUtf8 as refusal:
            if self.encoding is not None:
                raise
            return {"all": _table(path, guessed(path, refusal), self, limits)}


class TsvFormat(CsvFormat):
    """The same with tabs between cells, if they are there."""

    type: Literal["tsv"] = Field("tsv", description="Text with tabs under a header row.")  # type: ignore[assignment]  # a kind of its own in the family
    media_types: ClassVar[tuple[str, ...]] = ("text/tab-separated-values",)
    endings: ClassVar[Mapping[str, str]] = {".tsv": "text/tab-separated-values", ".tab": "text/tab-separated-values"}
    usual: ClassVar[str] = "\t"


def _table(path: Path, encoding: Encoding, options: CsvFormat, limits: ReadLimits) -> Incoming:
    """The table of a file in an encoding, in as many passes over it as it takes to know its columns."""
    first = next(lines_of(path, limits, encoding), None)
    if first is None:
        raise DataError("the file is empty; a CSV dataset has a header row and at least two rows")
    _check_line_ends(path, first)
    opening = opening_of(first, options, limits.max_features, usual=options.usual)
    missing = MISSING if options.told_missing is None else options.told_missing
    words: dict[int, Words] = {}
    if options.missing is not None:  # which may be numbers, such as -999: every cell is looked at as it is spelled
        words = {column: Words(missing=missing) for column in opening.kept}
    numbers = set[int]()
    while True:
        passed_over = PassedOver(opening.header, opening.comment)
        blocks = lines_of(path, limits, encoding)
        intake = _pass(blocks, opening, passed_over, words, numbers, missing, path.parent, limits)
        if intake is not None:
            break
        words = {column: found.again() for column, found in words.items() if column not in numbers}
    guesses = (*(() if encoding.guess is None else (encoding.guess,)), *opening.guesses, *passed_over.guesses)
    return replace(intake.incoming(), guesses=guesses)


def _pass(
    blocks: Iterator[Lines],
    opening: Opening,
    passed_over: PassedOver,
    words: dict[int, Words],
    numbers: set[int],
    missing: frozenset[str],
    folder: Path,
    limits: ReadLimits,
) -> Intake | None:
    """Read the file, taking the columns in `words` for words; None where others, now added, have to be too.

    Columns in `numbers` stay numbers however these are spelled: they have too many spellings to keep.
    """
    kept = {column: place for place, column in enumerate(opening.kept)}
    left = [column for column in range(len(opening.columns)) if column not in kept]  # found as words are, and not kept
    blanks = {column: Words() for column in left if opening.columns[column][1] == "blank"}
    intake = Intake(opening.names, {kept[column]: found for column, found in words.items()}, folder, limits)
    dialect = opening.dialect
    if len(opening.columns) == 1:
        dialect = replace(dialect, delimiter=NOWHERE)  # a lone column's cells may hold what sets cells apart elsewhere
    below = map(passed_over, _below(blocks, opening.begin))
    reading = _Reading(
        Blocks(below), dialect, limits, Layout(len(opening.columns), (*words, *left), frozenset(numbers))
    )
    surprised = False
    for rows in reading:
        if not intake.rows:  # the first ones tell which columns have too many spellings to keep
            places = enumerate(reading.layout.numbers)
            numbers |= {column for place, column in places if _are_many(rows.numbers[:, place])}
            reading.layout = replace(reading.layout, many=frozenset(numbers))
        for strange in rows.strange:
            if strange.column not in words:
                words[strange.column] = Words(_example(rows, strange), missing)
                numbers.discard(strange.column)
                surprised = True
        for column in rows.unusual:
            if column in words or column in numbers:
                continue
            words[column] = Words(missing=missing)
            surprised = True
        if surprised and not intake.rows:
            return None
        if surprised:  # nothing is kept any more: what is still to find are other columns of words
            reading.layout = Layout(len(opening.columns), (*words, *left), frozenset(numbers))
            continue
        intake.add(rows.numbers, [rows.codes(place, found) for place, found in enumerate(words.values())])
        for place, column in enumerate(left, start=len(words)):
            if column in blanks:
                _check_blank(rows, place, column, blanks[column])
        for column, found in words.items():
            if missing is MISSING and found.are_plain_numbers:
                numbers.add(column)
                surprised = True
            surprised = surprised or found.surprised
        if surprised:
            return None
    return None if surprised else intake


def _are_many(numbers: NDArray[Any]) -> bool:
    """Whether a column of such numbers has more spellings than are kept."""
    return len(numbers) >= FEWEST and len(np.unique(numbers)) > min(MANY * len(numbers), MOST_SPELLINGS / 8)


def _check_line_ends(path: Path, first: Lines) -> None:
    """DataError for a file that is one line, without an end, of several cells: curl's -d makes that of a file."""
    if first.raw.count(b"\n") == 1 and first.raw.count(b",") + first.raw.count(b";") + first.raw.count(b"\t") > 1:
        with path.open("rb") as file:
            one = b"\n" not in (raw := file.read(len(first.raw) * 4 + 4)) and b"\r" not in raw
        if one:
            raise DataError(
                "the file is one line without an end; curl -d strips the ends of lines: send the file with "
                "--data-binary @file"
            )


def _below(blocks: Iterator[Lines], begin: int) -> Iterator[Lines]:
    """The lines from the table's first row on, a small block before all others."""
    for block in blocks:
        lines = block.raw.count(b"\n")
        if lines <= begin:
            begin -= lines
            continue
        rest = block.raw.split(b"\n", begin)[begin]
        head = rest.find(b"\n", HEAD) + 1 if len(rest) > HEAD else len(rest)
        begun = Lines(block.number + begin, rest[:head])
        more = Lines(begun.number + begun.raw.count(b"\n"), rest[head:])
        yield from chain((lines for lines in (begun, more) if lines.raw), blocks)
        return


def _check_blank(rows: Rows, place: int, column: int, words: Words) -> None:
    """DataError where a column that was left out, as it has no name and no value, has one."""
    filled = np.flatnonzero(rows.codes(place, words) != BLANK)
    if len(filled):
        cell = [*words.labels, *words.markers][0]
        raise DataError(
            f"line {rows.line(int(filled[0]))} has {shown(cell)} in column {column + 1}, which has no name; give it "
            "one in the header, or leave that cell blank as in the rows above"
        )


class _Reading:
    """The rows of a file, block by block; other threads find them while the last ones are used."""

    def __init__(self, blocks: Blocks, dialect: Dialect, limits: ReadLimits, layout: Layout) -> None:
        self._blocks, self._dialect, self._limits, self.layout = blocks, dialect, limits, layout

    def __iter__(self) -> Iterator[Rows]:
        waiting: deque[tuple[Lines, Layout, Future[ScannedRows | None]]] = deque()
        most = 1
        with ThreadPoolExecutor(READERS) as readers:
            while True:
                compiled = None if self._dialect.escape else COMPILER.scan()
                while compiled and len(waiting) < most and (ahead := self._blocks.whole()):
                    found = readers.submit(scanned, compiled, ahead, self._dialect, self.layout)
                    waiting.append((ahead, self.layout, found))
                block, layout, reading = waiting.popleft() if waiting else (next(self._blocks, None), self.layout, None)
                if block is None:
                    return
                rows = reading.result() if reading is not None else None
                if rows is None:  # a quote may be open at its end
                    self._blocks.put_back([ahead for ahead, *_ in waiting])
                    waiting.clear()
                    yield split(block, self._blocks, self._dialect, layout, self._limits)
                else:
                    yield rows
                most = READERS + 1


def _example(rows: Rows, strange: Strange) -> str:
    """The cell and its line."""
    return f"{shown(strange.cell)} in line {rows.line(strange.row)}"
