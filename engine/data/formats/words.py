"""The distinct words of a column, numbered as they come, and what kind of column they make in the end."""

from collections.abc import Collection, Iterable
from hashlib import blake2b
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from engine.data.column_types import AnyColumnType, NumberType, TextType
from engine.data.formats.word_table import WordTable
from engine.data.reading.cell_reading import CellReading
from engine.data.reading.cell_values import MISSING, is_date
from engine.data.reading.column_guess import LONGEST_CATEGORY, guess_type
from engine.data.reading.date_format import DateFormat, guess_date_format, moment_of
from engine.data.reading.number_format import NumberFormat

MOST_LABELS = 1 << 16  # distinct words kept of one column
MOST_CHARACTERS = 1 << 22  # of them together
MOST_SPELLINGS = 4096  # of numbers that are kept as they are spelled
SPELLING_BYTES = 5.6  # a row: with its codes, a spelled column takes 1.2 times what its numbers would
SPELLED_BYTES = 1024  # that spellings may always take
FIRST_LOOK = 512  # words of a block
HASHED = 1 << 62  # codes from here on are hashes of words that were not kept
BLANK, MARKER = -1, -3  # codes of what is missing: nothing, and from here downwards the words that say so

Codes = NDArray[np.int64]


class Words:
    """A dictionary that numbers a word when it first meets it; codes below 0 are missing.

    Its memory is bounded: once there are too many words, a new one is its hash. With a number format, words are numbers
    and their codes the bits of those; with a date format, dates, and their codes moments.
    """

    def __init__(
        self,
        example: str = "",
        missing: Collection[str] = MISSING,
        form: NumberFormat | None = None,
        *,
        dates: DateFormat | None = None,
        may_be_numbers: bool = True,
    ) -> None:
        self.example = example  # what showed that the column does not hold numbers
        self.labels: list[str] = []
        self.markers: list[str] = []
        self.present = self.rows = 0  # cells that are not missing, and all
        self.overflowed = False
        self.surprised = False  # the file has to be read again, by what `again` returns
        self.missing = frozenset(missing) | {""}  # what stands for no value, in lower case
        self._form, self._dates = form, dates
        self._reading = CellReading() if form is None else CellReading(number=form)
        self._may_be_numbers = may_be_numbers
        self._known: dict[str, int] = {}
        self._table = WordTable()
        self._characters = 0

    def again(self) -> "Words":
        """What the next pass over the file takes the column for."""
        if not self.surprised:
            kept = self._may_be_numbers
            return Words(self.example, self.missing, self._form, dates=self._dates, may_be_numbers=kept)
        if self._form is not None or self._dates is not None:  # one is none
            return Words(self.example, self.missing, may_be_numbers=False)
        guessed = guess_type(self.labels, (), self.missing, present=self.present)
        if isinstance(guessed, NumberType):
            return Words(self.example, self.missing, guessed.reading.number)
        return Words(self.example, self.missing, dates=guess_date_format(self.labels))

    @property
    def are_plain_numbers(self) -> bool:
        """Whether all words are numbers that a column of floats would hold as well, and too many to be spelled."""
        if len(self.labels) <= MOST_SPELLINGS or self._form is not None:
            return False
        return all(self._reading.number_in(label) is not None for label in self.labels)

    def codes(self, cells: Iterable[str]) -> Codes:
        return self._counted(np.array([self._code(cell) for cell in cells], np.int64))

    def scanned_codes(self, raw: bytes, cells: NDArray[np.int32]) -> Codes:
        """The codes of words in UTF-8 from a first byte to an end (~end: a quote is doubled inside)."""
        from engine.data.formats.word_search import look_up  # compiled code: loaded by those who use it

        text, codes = np.frombuffer(raw, np.uint8), np.empty(len(cells), np.int64)
        begin, step = 0, FIRST_LOOK
        while begin < len(cells):  # a few first: what they hold is known by the time of the rest
            part, found = cells[begin : begin + step], codes[begin : begin + step]
            if self._form is None:
                look_up(text, part, *self._table.arrays, found)
            else:
                found[:] = -2
            if unknown := np.flatnonzero(found == -2).tolist():
                self._learn(raw, part, found, unknown)
            begin, step = begin + step, step * 4
        return self._counted(codes)

    def _learn(self, raw: bytes, cells: NDArray[np.int32], codes: Codes, unknown: list[int]) -> None:
        """Fill in the codes of words that the table did not know, and enter them there."""
        fresh: dict[bytes, int] = {}
        for row, (start, end) in zip(unknown, cells[unknown].tolist(), strict=True):
            word = raw[start:end] if end >= 0 else raw[start:~end].replace(b'""', b'"')
            code = fresh.get(word)
            codes[row] = code = self._code(word.decode()) if code is None else code
            if code < HASHED and len(word) <= LONGEST_CATEGORY:
                fresh[word] = code
        if fresh and self._form is None:
            self._table.enter(fresh)

    def settled(self) -> tuple[AnyColumnType, Codes | NDArray[np.float64]]:
        """The type of the column, and what each code becomes in it, the last entry being that of -1."""
        reading = CellReading(missing=tuple(sorted(self.missing - {""})))
        if self._dates is not None:
            dates = TextType(holds="dates", example=self.example, reading=reading, form=self._dates)
            return dates, np.array([BLANK], np.int64)
        if self.overflowed:
            hashes = [hashed(label) for label in self.labels]
            return TextType(holds="text", example=self.example, reading=reading), np.array([*hashes, -1], np.int64)
        order = sorted(range(len(self.labels)), key=self.labels.__getitem__)
        labels = tuple(self.labels[code] for code in order)
        held = guess_type(labels, self.markers, self.missing, present=self.present, example=self.example)
        if isinstance(held, NumberType) and self._takes_more_than(max(SPELLED_BYTES, SPELLING_BYTES * self.rows)):
            plain = held.model_copy(update={"labels": None, "markers": ()})
            return plain, np.array([*(held.reading.number_in(label) for label in self.labels), np.nan], np.float64)
        places = np.empty(len(labels) + 1, np.int64)
        places[order] = np.arange(len(labels))
        places[-1] = -1
        return held, places

    def placed(self, codes: Codes, places: Codes | NDArray[np.float64]) -> Codes | NDArray[np.float64]:
        """The stored values that codes become: places by label, -2 and below by marker, hashes as they are."""
        if self._form is not None:
            return codes.view(np.float64)
        if self._dates is not None:
            return codes
        known = (codes >= 0) & (codes < len(places) - 1)
        found = places[np.where(known, codes, -1)]
        if places.dtype.kind == "f":
            return found
        return np.where(codes <= MARKER, codes + 1, np.where(codes >= HASHED, codes, found))

    def form_type(self) -> NumberType | None:
        """The type of a column whose words are numbers by their format."""
        if self._form is None:
            return None
        return NumberType(reading=CellReading(number=self._form, missing=tuple(sorted(self.missing - {""}))))

    def _are_dates(self, guessed: AnyColumnType) -> bool:
        """Whether the words so far are dates, each of them, in a format that they tell."""
        if not isinstance(guessed, TextType) or guessed.holds != "dates" or not all(map(is_date, self.labels)):
            return False
        return guess_date_format(self.labels) is not None

    def _takes_more_than(self, most: float) -> bool:
        return self._characters + 3 * len(self.labels) > most

    def _counted(self, codes: Codes) -> Codes:
        self.rows += len(codes)
        if self._form is None:
            self.present += int(np.count_nonzero(codes >= 0))
        return codes

    def _code(self, cell: str) -> int:
        code = self._known.get(cell)
        if code is None:
            word = cell.strip()
            code = self._known.get(word)
            code = self._new_code(word) if code is None else code
            if code < HASHED and self._form is None and len(self._known) < 2 * MOST_LABELS:
                self._known[cell] = code
        return code

    def _new_code(self, word: str) -> int:
        if word.lower() in self.missing:
            if self._form is not None:
                return NAN
            if not word or self._dates is not None:
                return BLANK
            if len(self.markers) < MOST_LABELS:
                self.markers.append(word)
            code = self._known[word] = MARKER - len(self.markers) + 1
            return code
        if self._form is not None:
            number = self._form.number(word)
            if number is None or not isfinite(number):
                self.surprised, self.example = True, repr(word)
                return NAN
            return _bits(number)
        if self._dates is not None:
            days = self._dates.days(word)
            self.surprised = self.surprised or days is None
            self.example = self.example or repr(word)
            return BLANK if days is None else moment_of(days)
        if self.overflowed or len(self.labels) >= MOST_LABELS or self._characters + len(word) > MOST_CHARACTERS:
            if not self.overflowed and self._may_be_numbers:
                guessed = guess_type(self.labels, (), self.missing, present=self.present)
                self.surprised = isinstance(guessed, NumberType) or self._are_dates(guessed)
            self.overflowed = True
            return hashed(word)
        code = self._known[word] = len(self.labels)
        self.labels.append(word)
        self._characters += len(word)
        return code


def hashed(word: str) -> int:
    """63 bits that stand for a word, none of them the code of one that is kept."""
    return HASHED | int.from_bytes(blake2b(word.encode(), digest_size=8).digest()) & (HASHED - 1)


def _bits(number: float) -> int:
    return int(np.float64(number).view(np.int64))


NAN = _bits(float("nan"))
