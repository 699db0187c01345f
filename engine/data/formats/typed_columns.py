"""Columns of typed values, as JSON, Parquet and Excel hold them: null, true and false, numbers and texts.

A column with a text in it is read by the spellings of all of its values: it is of numbers if all of them are, or mark
what is missing; of booleans likewise; else of words. So the same cells make the same column, whatever typed them.
"""

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.data.column_types import AnyColumnType, BooleanType, CategoryType, NumberType, TextType
from engine.data.encoding.column_encoder import shown
from engine.data.formats.column_names import check_names
from engine.data.formats.csv.csv_header import UNNAMED, are_row_numbers
from engine.data.formats.guess import Guess
from engine.data.formats.incoming import Incoming
from engine.data.formats.intake import Intake
from engine.data.formats.limits import ReadLimits
from engine.data.formats.words import Words
from engine.data.reading.cell_reading import CellReading
from engine.data.reading.cell_values import MISSING, is_infinite, number_label
from engine.data.reading.cell_values import shown as quoted
from engine.data.reading.column_guess import guess_type
from engine.errors import DataError

EXACT = 2**53  # float64 holds every integer up to here
NOTHING = frozenset(("",))  # what is missing where null is at hand: blank text alone
SCALARS = {int, float, bool, str, type(None)}
Seen = Literal["number", "beyond", "boolean", "word"]
Stored = Literal["number", "boolean", "words"]
Values = Sequence[Any] | NDArray[np.float64]


class Batch(NamedTuple):
    """Some rows: the number of the first one, counted from 1, how many they are, and the values of each column.

    A column that is not named here has no values in these rows. An array is of numbers, NaN where there is none.
    What is known of columns beforehand may be said in `known`.
    """

    first: int
    rows: int
    columns: Mapping[str, Values]
    known: Mapping[str, Seen] = MappingProxyType({})


class TypedColumns:
    """What the columns of a file were seen to hold, found out in as few passes over it as that takes.

    The source reads the file anew at each call.
    """

    def __init__(
        self,
        source: Callable[[], Iterator[Batch]],
        folder: Path,
        limits: ReadLimits,
        *,
        missing: frozenset[str] | None = None,
        of_words: frozenset[str] = NOTHING,
    ) -> None:
        """What is missing is spelled as told, else as usual, which among words are those of `of_words`."""
        self._source, self._folder, self._limits = source, folder, limits
        self._missing = of_words if missing is None else missing
        self._marks = MISSING if missing is None else missing
        self._reading = CellReading() if missing is None else CellReading(missing=tuple(sorted(missing - NOTHING)))
        self._seen: dict[str, set[Seen]] = {}
        self._words: dict[str, Words] = {}  # as the last pass left them
        self._left_out = list[str]()  # columns that are the index of a frame
        self._marked = set[str]()  # columns of numbers in which words may mark what is missing

    def incoming(self) -> Incoming:
        """All rows; DataError names the row and the column of what cannot be used."""
        while (intake := self._pass()) is None:
            pass
        incoming = intake.incoming()
        types = {name: self._type(held) for name, held in incoming.types.items()}
        return replace(incoming, types=types, guesses=tuple(self._guesses()))

    def _type(self, held: AnyColumnType) -> AnyColumnType:
        """Plain numbers and truth values know what is missing as well."""
        plain = isinstance(held, NumberType | BooleanType) and held.labels is None and held.reading == CellReading()
        return held.model_copy(update={"reading": self._reading}) if plain else held

    def _guesses(self) -> Iterator[Guess]:
        for name in self._left_out:
            yield Guess.of("index", f"{name!r} is an index that pandas has written and read again; it was left out")
        for name, seen in self._seen.items():
            if "beyond" in seen and "word" not in seen:
                yield Guess.of(
                    "type",
                    f"column {name!r} holds integers beyond ±2⁵³, which no float64 tells apart, and is kept as words: "
                    "to group rows by or as a category; as numbers to learn from, send them divided",
                )

    def _pass(self) -> Intake | None:
        """Read the file by what is known of its columns; None where that turns out to be wrong."""
        intake = self._begun() if self._seen else None
        surprised = False
        for batch in self._source():
            if self._look(batch):
                if intake is not None and intake.rows:  # from here on, other surprises are all there is to find
                    surprised = True
                else:
                    intake = self._begun()
            if intake is not None and not surprised:
                self._add(batch, intake)
        if intake is None:
            raise DataError("the file holds no object with a field; send a list of objects, each a row")
        if surprised:
            return None
        self._words = {intake.names[place]: words for place, words in intake.words.items()}
        marked = {name for name, words in self._words.items() if name not in self._marked and self._is_marked(words)}
        self._marked |= marked
        return None if marked or any(words.surprised for words in self._words.values()) else intake

    def _begun(self) -> Intake:
        stored = list(map(_stored, self._seen.values()))
        words = {place: self._again(name) for place, name in enumerate(self._seen) if stored[place] == "words"}
        booleans = [place for place, kind in enumerate(stored) if kind == "boolean"]
        return Intake(list(self._seen), words, self._folder, self._limits, booleans)

    def _again(self, name: str) -> Words:
        """What this pass takes a column of words for."""
        missing = self._missing | self._marks if name in self._marked else self._missing
        known = self._words.get(name)
        return known.again() if known is not None and known.missing == missing | NOTHING else Words(missing=missing)

    def _is_marked(self, words: Words) -> bool:
        """Whether all words are numbers, or truth values, but for some that mark what is missing among those.

        Of more words than are kept, the others may be such.
        """
        rest = sorted(label for label in words.labels if label.lower() not in self._marks)
        if not rest or any(map(is_infinite, rest)) or (len(rest) == len(words.labels) and not words.overflowed):
            return False
        return isinstance(guess_type(rest, (), words.missing, present=words.present), NumberType | BooleanType)

    def _look(self, batch: Batch) -> bool:
        """Learn what these rows show; whether some column is to be kept in another way than before."""
        new = [name for name in batch.columns if name not in self._seen and not self._is_index(name, batch)]
        if new:
            if len(self._seen) + len(new) > self._limits.max_features:
                raise DataError(f"the rows name more than the {self._limits.max_features} columns that are allowed")
            check_names([*self._seen, *new])
            self._seen.update((name, {batch.known[name]} if name in batch.known else set()) for name in new)
        changed = bool(new)
        for name, values in batch.columns.items():
            if isinstance(values, np.ndarray) or name not in self._seen:
                continue
            seen, types = self._seen[name], set(map(type, values))
            if types - SCALARS:
                raise _unusable(name, values, batch.first)
            if "word" in seen and types <= {str, type(None)}:
                continue
            before = _stored(seen)
            for value in _telling(values, types):
                if type(value) is int and abs(value) > sys.float_info.max:
                    raise _beyond(name, values, batch.first)
                if (found := self._found(value)) is not None:
                    seen.add(found)
            changed = changed or _stored(seen) != before
        return changed

    def _is_index(self, name: str, batch: Batch) -> bool:
        """Whether a column is left out, as pandas calls it when it reads an index that it has written."""
        if not UNNAMED.fullmatch(name) or name in self._left_out or not batch.rows:
            return UNNAMED.fullmatch(name) is not None
        if are_row_numbers([_text(value) for value in batch.columns[name]]):
            self._left_out.append(name)
        return name in self._left_out

    def _found(self, value: Any) -> Seen | None:
        """What one value shows; None for what is missing."""
        if isinstance(value, bool):
            return "boolean"
        if isinstance(value, int):
            return "beyond" if abs(value) > EXACT else "number"
        if isinstance(value, float):
            return "number"
        word = value.strip().lower()
        return None if not word or word in self._missing else "word"  # kept as it is spelled, be it a number

    def _add(self, batch: Batch, intake: Intake) -> None:
        nothing = [None] * batch.rows
        columns = [batch.columns.get(name, nothing) for name in intake.names]
        numbers = np.empty((len(intake.numbers), batch.rows))
        for place, column in enumerate(intake.numbers):
            numbers[place] = _numbers(columns[column])
            if self._reading.missing_numbers:
                numbers[place, np.isin(numbers[place], self._reading.missing_numbers)] = np.nan
            if (infinite := np.isinf(numbers[place])).any():
                raise _infinite(intake.names[column], batch.first + int(np.argmax(infinite)))
        for column in intake.words:
            if math.inf in columns[column] or -math.inf in columns[column]:
                row = next(row for row, value in enumerate(columns[column]) if value in (math.inf, -math.inf))
                raise _infinite(intake.names[column], batch.first + row)
        codes = [words.codes(map(_text, columns[column])) for column, words in intake.words.items()]
        intake.add(numbers.T, codes)


def as_moments(held: AnyColumnType, holds: Literal["dates", "times"]) -> AnyColumnType:
    """The type of a column whose cells were dates, or times of day, before they were written out."""
    if not isinstance(held, CategoryType | TextType) or (isinstance(held, TextType) and held.form is not None):
        return held
    example = quoted(held.labels[0]) if held.labels else ""
    return TextType(holds=holds, example=example, labels=held.labels, markers=held.markers, reading=held.reading)


def _stored(seen: set[Seen]) -> Stored:
    if "word" in seen or "beyond" in seen or {"number", "boolean"} <= seen:
        return "words"
    return "boolean" if "boolean" in seen else "number"


def _telling(values: Sequence[Any], types: set[type]) -> Iterator[Any]:
    """Those of the values that tell what all of them are: one of each type, every text, the greatest integer."""
    for kind in types - {type(None)}:
        if kind is str:
            yield from {value for value in values if type(value) is str}
        elif kind is int:
            whole = [value for value in values if type(value) is int]
            yield max(max(whole), -min(whole))
        else:
            yield next(value for value in values if type(value) is kind)


def _numbers(values: Values) -> NDArray[np.float64]:
    if isinstance(values, np.ndarray):
        return values
    if str in set(map(type, values)):  # texts that are missing, such as blank ones
        values = [None if isinstance(value, str) else value for value in values]
    return np.array(values, np.float64)  # None becomes NaN


def _text(value: Any) -> str:
    """A value of a column that has words in it."""
    if isinstance(value, str):
        return value
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else number_label(value)


def _unusable(name: str, values: Sequence[Any], first: int) -> DataError:
    row, value = next((row, value) for row, value in enumerate(values, first) if type(value) not in SCALARS)
    return DataError(
        f"row {row}, field {name!r} is {shown(value)}; a field is a number, a text, true, false or null; arrays, such "
        "as images, come as NPZ"
    )


def _beyond(name: str, values: Sequence[Any], first: int) -> DataError:
    row = next(row for row, value in enumerate(values, first) if type(value) is int and abs(value) > sys.float_info.max)
    return DataError(f"row {row}, field {name!r} holds an integer beyond float64; send a smaller one, or a text")


def _infinite(name: str, row: int) -> DataError:
    return DataError(
        f"row {row}, field {name!r} is infinite; every number must be finite, and within float64: a code such as "
        "1e400 is a text"
    )
