"""The distinct words of a column, numbered as they come, and what kind of column they make in the end."""

from collections.abc import Iterable
from hashlib import blake2b
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from engine.data.column_types import AnyColumnType, BooleanType, CategoryType, TextType
from engine.data.formats.cell_values import MISSING, YES_NO, is_date, number_in, shown
from engine.data.formats.word_table import WordTable

MOST_LABELS = 1 << 16  # distinct words kept of one column
MOST_CHARACTERS = 1 << 22  # of them together
MOST_CATEGORIES = 1000  # more distinct words are hardly categories
FEW_CATEGORIES = 20  # so few always are
LONGEST_CATEGORY = 200  # characters
FIRST_LOOK = 512  # words of a block
HASHED = 1 << 62  # codes from here on are hashes of words that were not kept

Codes = NDArray[np.int64]


class Words:
    """A dictionary that numbers a word when it first meets it; a missing one is -1.

    Its memory is bounded: once there are too many words, a new one is its hash.
    """

    def __init__(self, example: str = "", missing: frozenset[str] = MISSING) -> None:
        self.example = example  # what showed that the column does not hold numbers
        self.missing = missing  # what stands for no value, in lower case
        self.labels: list[str] = []
        self.present = 0  # cells that are not missing
        self._known: dict[str, int] = {}
        self._table = WordTable()
        self._characters = 0
        self.overflowed = False

    def codes(self, cells: Iterable[str]) -> Codes:
        return self._counted(np.array([self._code(cell) for cell in cells], np.int64))

    def scanned_codes(self, compiled: ModuleType, raw: bytes, cells: NDArray[np.int32]) -> Codes:
        """The codes of words in UTF-8 from a first byte to an end (~end: a quote is doubled inside)."""
        text, codes = np.frombuffer(raw, np.uint8), np.empty(len(cells), np.int64)
        begin, step = 0, FIRST_LOOK
        while begin < len(cells):  # a few first: what they hold is known by the time of the rest
            part, found = cells[begin : begin + step], codes[begin : begin + step]
            compiled.look_up(text, part, *self._table.arrays, found)
            if unknown := np.flatnonzero(found == -2).tolist():
                self._learn(compiled, raw, part, found, unknown)
            begin, step = begin + step, step * 4
        return self._counted(codes)

    def _learn(
        self, compiled: ModuleType, raw: bytes, cells: NDArray[np.int32], codes: Codes, unknown: list[int]
    ) -> None:
        """Fill in the codes of words that the table did not know, and enter them there."""
        fresh: dict[bytes, int] = {}
        for row, (start, end) in zip(unknown, cells[unknown].tolist(), strict=True):
            word = raw[start:end] if end >= 0 else raw[start:~end].replace(b'""', b'"')
            code = fresh.get(word)
            codes[row] = code = self._code(word.decode()) if code is None else code
            if code < HASHED and len(word) <= LONGEST_CATEGORY:
                fresh[word] = code
        if fresh:
            self._table.enter(compiled, fresh)

    def settled(self) -> tuple[AnyColumnType, Codes | NDArray[np.float64]]:
        """The type of the column, and what each code becomes in it, the last entry being that of -1."""
        if self.overflowed:
            hashes = [hashed(label) for label in self.labels]
            return TextType(holds="text", example=self.example), np.array([*hashes, -1], np.int64)
        if self.labels and all(label.lower() in YES_NO for label in self.labels):
            marks = [float(YES_NO[label.lower()]) for label in self.labels]
            return BooleanType(), np.array([*marks, np.nan])
        order = sorted(range(len(self.labels)), key=self.labels.__getitem__)
        labels = tuple(self.labels[code] for code in order)
        places = np.empty(len(labels) + 1, np.int64)
        places[order] = np.arange(len(labels))
        places[-1] = -1
        return self._described(labels), places

    def _described(self, labels: tuple[str, ...]) -> AnyColumnType:
        if labels and all(map(is_date, labels)):
            return TextType(holds="dates", example=shown(labels[0]), labels=labels)
        short = max(map(len, labels), default=0) <= LONGEST_CATEGORY
        if short and len(labels) <= FEW_CATEGORIES:
            return CategoryType(labels=labels)
        if sum(number_in(label) is not None for label in labels) > len(labels) / 2:
            return TextType(holds="mixed", example=self.example, labels=labels)
        if short and len(labels) <= min(MOST_CATEGORIES, self.present / 2):
            return CategoryType(labels=labels)
        holds = "identifiers" if len(labels) == self.present and not any(" " in x for x in labels) else "text"
        return TextType(holds=holds, example=shown(labels[0]), labels=labels)

    def _counted(self, codes: Codes) -> Codes:
        self.present += int(np.count_nonzero(codes != -1))
        return codes

    def _code(self, word: str) -> int:
        code = self._known.get(word)
        if code is None:
            if word.strip().lower() in self.missing:
                return -1
            if self.overflowed or len(self.labels) >= MOST_LABELS or self._characters + len(word) > MOST_CHARACTERS:
                self.overflowed = True
                return hashed(word)
            code = self._known[word] = len(self.labels)
            self.labels.append(word)
            self._characters += len(word)
        return code


def hashed(word: str) -> int:
    """63 bits that stand for a word, none of them the code of one that is kept."""
    return HASHED | int.from_bytes(blake2b(word.encode(), digest_size=8).digest()) & (HASHED - 1)
