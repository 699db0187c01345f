"""Rows as JSON objects, in one list or one a line, read object by object."""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine.component import Component
from engine.data.dataset import Dataset
from engine.data.encoding.conversions import number_label
from engine.data.encoding.encoders import shown
from engine.data.formats.cell_values import is_missing
from engine.data.formats.csv_format import check_names
from engine.data.formats.incoming import Incoming
from engine.data.formats.intake import Intake
from engine.data.formats.limits import ReadLimits
from engine.data.formats.words import Words
from engine.errors import DataError

CHUNK = 1 << 18  # characters read at a time
BATCH = 1 << 14  # values looked at together
SPACE = " \t\r\n"

PLAIN: dict[str, set[type]] = {"number": {int, float}, "boolean": {bool}, "words": {str, int, float, bool}}

JsonRow = dict[str, Any]


class JsonFormat(Component):
    """A list of flat objects, or one object a line; what an object leaves out, or says null to, is missing.

    A column is numbers, true and false, categories or text, as its values are.
    """

    type: Literal["json"] = Field("json", description="A list of flat JSON objects, or one object a line.")
    media_types: ClassVar[tuple[str, ...]] = ("application/json", "application/x-ndjson", "application/jsonl")
    endings: ClassVar[Mapping[str, str]] = {
        ".json": "application/json",
        ".ndjson": "application/x-ndjson",
        ".jsonl": "application/x-ndjson",
    }

    def read(self, path: Path, limits: ReadLimits | None = None) -> Dataset:
        """One table in memory; DataError names the row of what cannot be used."""
        return Dataset({part: table.table() for part, table in self.incoming(path, limits).items()})

    def incoming(self, path: Path, limits: ReadLimits | None = None) -> dict[str, Incoming]:
        """The table "all": its columns, and its rows block by block."""
        limits = limits or ReadLimits()
        kinds: dict[str, str] = {}
        while (intake := _pass(path, kinds, limits)) is None:
            pass
        return {"all": intake.incoming()}


def _pass(path: Path, kinds: dict[str, str], limits: ReadLimits) -> Intake | None:
    """Read the file by the kinds of its columns known so far; None where there are more or others, now in `kinds`."""
    names = list(kinds)
    words = {column: Words() for column, name in enumerate(names) if kinds[name] == "words"}
    booleans = [column for column, name in enumerate(names) if kinds[name] == "boolean"]
    intake = Intake(names, words, path.parent, limits, booleans)
    before = dict(kinds)
    rows, first = _objects(path, limits), 1
    while batch := list(islice(rows, max(1, BATCH // max(1, len(kinds))))):
        _look(batch, first, kinds, limits)
        if names and kinds == before:
            numbers = np.array([_numbers(batch, first, names[column]) for column in intake.numbers])
            codes = [found.codes(_text(row.get(names[column])) for row in batch) for column, found in words.items()]
            intake.add(numbers.reshape(-1, len(batch)).T, codes)
        first += len(batch)
    if not kinds:
        raise DataError("the file holds no object with a field; send a list of objects, each a row")
    return intake if kinds == before else None


def _look(batch: list[JsonRow], first: int, kinds: dict[str, str], limits: ReadLimits) -> None:
    """Add to the kinds what these rows show of their columns."""
    new = {name: None for row in batch for name in row if name not in kinds}
    if new:
        check_names([*kinds, *new])
        if len(kinds) + len(new) > limits.max_features:
            raise DataError(f"the rows name more than the {limits.max_features} columns that are allowed")
        kinds.update(dict.fromkeys(new, ""))
    for name, kind in kinds.items():
        found_types = set(map(type, [row.get(name) for row in batch])) - {type(None)}
        if kind and not found_types - PLAIN[kind]:
            continue
        for number, row in enumerate(batch, first):
            value = row.get(name)
            if value is None:
                continue
            found = _kind(value)
            if not found:
                raise DataError(
                    f"row {number}, field {name!r} is {shown(value)}; a field is a number, a text, true, false or "
                    "null; arrays, such as images, come as NPZ"
                )
            if found != kind:
                kind = kinds[name] = found if not kind else "words"


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "words" if isinstance(value, str) else ""


def _numbers(batch: list[JsonRow], first: int, name: str) -> NDArray[np.float64]:
    try:
        numbers = np.array([row.get(name) for row in batch], np.float64)  # None becomes NaN
    except OverflowError:
        raise DataError(f"field {name!r} holds an integer beyond float64; send a smaller one") from None
    if np.isinf(numbers).any():
        row = first + int(np.flatnonzero(np.isinf(numbers))[0])
        raise DataError(f"row {row}, field {name!r} is infinite; every number must be finite")
    return numbers


def _text(value: object) -> str:
    """A value of a column that has words in it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_label(value) if value == value else ""
    return value if isinstance(value, str) and not is_missing(value) else ""


def _objects(path: Path, limits: ReadLimits) -> Iterator[JsonRow]:
    """The objects of a list, or of lines; DataError names the row at which the file is something else."""
    decoder = json.JSONDecoder()
    number, listed, comma = 0, False, False
    with _Text(path, limits) as text:
        if text.ahead() == "[":
            listed = True
            text.skip()
        while (mark := text.ahead()) and not (listed and mark == "]"):
            if listed and number and not comma:
                if mark != ",":
                    raise DataError(f"a comma is missing after row {number} of the list")
                text.skip()
                comma = True
                continue
            number, comma = number + 1, False
            row = text.value(decoder, number)
            if not isinstance(row, dict):
                raise DataError(f'row {number} is {shown(row)}; every row is an object such as {{"age": 39}}')
            yield row
        if listed and (not mark or comma):
            raise DataError(f"the list ends after row {number} without a closing bracket, or with a comma too many")
        if listed:
            text.skip()
            if text.ahead():
                raise DataError("there is more after the list's closing bracket; send one list, or one object a line")


class _Text:
    """The characters of a file, of which only those of one value are in memory."""

    def __init__(self, path: Path, limits: ReadLimits) -> None:
        self._file = path.open(encoding="utf-8-sig")
        self._limits = limits
        self._text, self._at = "", 0

    def __enter__(self) -> "_Text":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def ahead(self) -> str:
        """The next character that is no space, or nothing at the file's end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in SPACE:
                self._at += 1
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def skip(self) -> None:
        self._at += 1

    def value(self, decoder: json.JSONDecoder, number: int) -> Any:
        """The JSON value that begins here, more being read until it is whole."""
        while True:
            try:
                value, end = decoder.raw_decode(self._text, self._at)
            except RecursionError:
                raise DataError(f"row {number} is nested too deeply; rows are flat objects") from None
            except json.JSONDecodeError as error:
                size = len(self._text) - self._at
                if size > self._limits.max_line:
                    raise DataError(
                        f"row {number} is no JSON within {self._limits.max_line} characters: {error.msg}"
                    ) from None
                # What is read doubles, so that a long row is not tried at every chunk.
                if not self._more(max(CHUNK, size)):
                    raise DataError(f"row {number} is no JSON: {error.msg}") from None
            except ValueError:  # an integer of thousands of digits
                raise DataError(f"row {number} holds an integer beyond float64; send a smaller one") from None
            else:
                self._at = end
                return value

    def _more(self, size: int = CHUNK) -> bool:
        try:
            read = self._file.read(size)
        except UnicodeDecodeError as error:
            raise DataError(f"the file is not UTF-8 ({error.reason}); save it as UTF-8") from None
        self._text, self._at = self._text[self._at :] + read, 0
        return bool(read)
