"""Comma-separated values under a header row, read block by block: the text is never in memory as a whole.

Two threads find the rows of the next blocks while those of the last are kept.
"""

import csv
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from engine.component import Component
from engine.data.dataset import Dataset
from engine.data.formats.csv_rows import COMPILER, Layout, Rows, ScannedRows, Strange, scanned, split
from engine.data.formats.csv_text import SNIFFED, Blocks, Dialect, Lines, lines_of
from engine.data.formats.incoming import Incoming
from engine.data.formats.intake import Intake
from engine.data.formats.limits import ReadLimits
from engine.data.formats.words import MOST_SPELLINGS, Words
from engine.data.reading.cell_values import number_in, shown
from engine.errors import DataError

MAX_NAME = 64
READERS = 2  # threads
HEAD = 1 << 16  # bytes that are read before all others: most columns of words show there
NOWHERE = "\0"  # no file that is read holds it


class CsvFormat(Component):
    """A header row, then one cell a column; UTF-8, with or without a byte order mark; cells apart by , ; tab or |.

    A column is numbers, true and false, categories or text, as its cells are; `?`, NA, NaN, null or nothing is
    missing. Blank lines are skipped; rows are as long as the header.
    """

    type: Literal["csv"] = Field("csv", description="Delimited text under a header row.")
    media_types: ClassVar[tuple[str, ...]] = ("text/csv", "text/tab-separated-values")
    endings: ClassVar[Mapping[str, str]] = {".csv": "text/csv", ".tsv": "text/tab-separated-values"}

    def read(self, path: Path, limits: ReadLimits | None = None) -> Dataset:
        """One table in memory; DataError names the line of what cannot be used."""
        return Dataset({part: table.table() for part, table in self.incoming(path, limits).items()})

    def incoming(self, path: Path, limits: ReadLimits | None = None) -> dict[str, Incoming]:
        """The table "all": its columns, and its rows block by block."""
        limits = limits or ReadLimits()
        words: dict[int, Words] = {}
        numbers = set[int]()
        while (intake := _pass(path, words, numbers, limits)) is None:
            words = {column: found.again() for column, found in words.items() if column not in numbers}
        return {"all": intake.incoming()}


def _pass(path: Path, words: dict[int, Words], numbers: set[int], limits: ReadLimits) -> Intake | None:
    """Read the file, taking the columns in `words` for words; None where others, now added, have to be too.

    Columns in `numbers` stay numbers however these are spelled: they have too many spellings to keep.
    """
    blocks = lines_of(path, limits)
    first = next(blocks, None)
    if first is None:
        raise DataError("the file is empty; a CSV dataset has a header row and at least two rows")
    # A header may be quoted, even across lines, so it is read as the rest is.
    sample = [line.decode() for line in first.split()[:SNIFFED]]
    dialect = Dialect.sniffed(sample)
    names, used = _header(first, dialect, limits)
    if len(names) == 1:
        dialect = Dialect(NOWHERE)  # a lone column's cells may hold what sets cells apart elsewhere
    rest = first.raw.split(b"\n", used)[used]
    head = rest.find(b"\n", HEAD) + 1 if len(rest) > HEAD else len(rest)
    begun = Lines(first.number + used, rest[:head])
    more = Lines(begun.number + begun.raw.count(b"\n"), rest[head:])
    below = chain((lines for lines in (begun, more) if lines.raw), blocks)
    intake = Intake(names, dict(words), path.parent, limits)
    reading = _Reading(Blocks(below), dialect, limits, Layout(len(names), tuple(words)))
    surprised = False
    for rows in reading:
        for strange in rows.strange:
            if strange.column not in words:
                words[strange.column] = Words(_example(rows, strange))
                numbers.discard(strange.column)
                surprised = True
        for column in rows.unusual:
            if column in words or column in numbers:
                continue
            if len(np.unique(rows.numbers[:, reading.layout.numbers.index(column)])) > MOST_SPELLINGS // 8:
                numbers.add(column)
            else:
                words[column] = Words()
                surprised = True
        if surprised and not intake.rows:
            return None
        if surprised:  # nothing is kept any more: what is still to find are other columns of words
            reading.layout = Layout(len(names), tuple(words))
            continue
        intake.add(rows.numbers, [rows.codes(place, found) for place, found in enumerate(intake.words.values())])
        for column, found in intake.words.items():
            if found.are_plain_numbers:
                numbers.add(column)
                surprised = True
            surprised = surprised or found.surprised
        if surprised:
            return None
    return None if surprised else intake


class _Reading:
    """The rows of a file, block by block; other threads find them while the last ones are used."""

    def __init__(self, blocks: Blocks, dialect: Dialect, limits: ReadLimits, layout: Layout) -> None:
        self._blocks, self._dialect, self._limits, self.layout = blocks, dialect, limits, layout

    def __iter__(self) -> Iterator[Rows]:
        waiting: deque[tuple[Lines, Layout, Future[ScannedRows | None]]] = deque()
        most = 1
        with ThreadPoolExecutor(READERS) as readers:
            while True:
                compiled = COMPILER.scan()
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


def _header(first: Lines, dialect: Dialect, limits: ReadLimits) -> tuple[list[str], int]:
    """The names of the columns, and how many lines they take."""
    lines = (line.decode() + "\n" for line in first.split())
    reader = csv.reader(lines, delimiter=dialect.delimiter, skipinitialspace=True, strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise DataError(f"line 1 is not CSV: {error}; check its quotes") from None
    if len(names) > limits.max_features:
        raise DataError(f"the header names {len(names)} columns; at most {limits.max_features} are allowed")
    if names and all(number_in(name) is not None for name in names):
        raise DataError(f"line 1 holds only numbers, such as {shown(names[0])}; a CSV dataset begins with a header row")
    check_names(names)
    if not names:
        raise DataError("line 1 is blank; a CSV dataset begins with a header row")
    return names, reader.line_num


def check_names(names: list[str]) -> None:
    """DataError for a column without a name, with one that cannot be shown, or with another's."""
    seen: set[str] = set()
    for place, name in enumerate(names, start=1):
        if not name:
            raise DataError(f"column {place} has no name; give every column one in line 1")
        if len(name) > MAX_NAME or not name.isprintable():
            raise DataError(
                f"column {place} is named {shown(name)}; a name has at most {MAX_NAME} printable characters"
            )
        if name in seen:
            raise DataError(f"two columns are named {shown(name)}; give every column a name of its own")
        seen.add(name)
