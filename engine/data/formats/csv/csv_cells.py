"""The cells of a small CSV text that is in memory, such as rows to predict: read as a file is, under a header."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

from engine.data.formats.csv.csv_dialect import NOWHERE
from engine.data.formats.csv.csv_encoding import HEAD, NotUtf8, encoding_of, guessed
from engine.data.formats.csv.csv_opening import opening_of
from engine.data.formats.csv.csv_options import CsvOptions
from engine.data.formats.csv.csv_ragged import faulty, ragged
from engine.data.formats.csv.csv_text import lines_of
from engine.data.formats.csv.passed_over import PassedOver
from engine.data.formats.foreign_content import refuse_foreign
from engine.data.formats.guess import Guess
from engine.data.formats.limits import ReadLimits
from engine.errors import DataError


@dataclass(frozen=True)
class Cells:
    """The names of the columns, the rows below them, each as long, and the line at which each row begins."""

    names: list[str]
    rows: list[list[str]]
    lines: list[int]
    guesses: tuple[Guess, ...] = ()


def read_cells(content: bytes, options: CsvOptions | None = None, limits: ReadLimits | None = None) -> Cells:
    """All cells of a text under a header, which it needs to have; DataError names the line of what cannot be used.

    More rows than the limits allow are refused as well.
    """
    options, limits = options or CsvOptions(), limits or ReadLimits()
    told = options if options.header is not None else options.model_copy(update={"header": True})
    head = content[:HEAD]
    refuse_foreign(head)
    encoding = encoding_of(head, options.encoding)
    try:
        blocks = list(lines_of(content, limits, encoding))
    except NotUtf8 as refusal:
        if options.encoding is not None:
            raise
        encoding = guessed(content, refusal)
        blocks = list(lines_of(content, limits, encoding))
    if not blocks:
        raise DataError("the text is empty; send a header row with the names of the columns, and rows below it")
    opening = opening_of(blocks[0], told, limits.max_features)
    passed_over, width = PassedOver(opening.header, opening.comment), len(opening.columns)
    dialect = opening.dialect if width > 1 else replace(opening.dialect, delimiter=NOWHERE)
    text = _Text(chain.from_iterable(passed_over(block).split() for block in blocks))
    text.skip(opening.begin)
    reader = dialect.reader(text)
    kept, rows, lines = opening.kept, list[list[str]](), list[int]()
    while True:
        line = text.number
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise faulty(line, text.last, str(error)) from None
        if row is None:
            break
        if not row or (len(row) == 1 < width and not row[0].strip()):
            continue
        if len(row) != width:
            raise ragged(line, row, width)
        if len(rows) == limits.max_rows:
            raise DataError(f"there are more than the {limits.max_rows} rows allowed; use batch-predictions for more")
        rows.append(row if len(kept) == width else [row[place] for place in kept])
        lines.append(line)
    guesses = (*(() if encoding.guess is None else (encoding.guess,)), *opening.guesses, *passed_over.guesses)
    return Cells(opening.names, rows, lines, guesses)


class _Text:
    """Lines for Python's csv module, counted from 1."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self.number = 1
        self.last = ""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.last = next(self._lines).decode() + "\n"
        self.number += 1
        return self.last

    def skip(self, count: int) -> None:
        """Pass over some lines."""
        for _ in range(count):
            next(self)
