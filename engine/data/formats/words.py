"""The distinct words of a column, numbered as they come, and what kind of column they make in the end."""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from engine.data.column_types import AnyColumnType, BooleanType, CategoryType, TextType
from engine.data.formats.cell_values import YES_NO, is_date, is_missing, number_in, shown

MOST_LABELS = 1 << 16  # distinct words kept of one column
MOST_CHARACTERS = 1 << 22  # of them together
MOST_CATEGORIES = 1000  # more distinct words are hardly categories
FEW_CATEGORIES = 20  # so few always are
LONGEST_CATEGORY = 200  # characters
HASHED = 1 << 62  # codes from here on are hashes of words that were not kept

Codes = NDArray[np.int64]


class Words:
    """A dictionary that numbers a word when it first meets it; a missing one is -1.

    Its memory is bounded: once there are too many words, a new one is its hash.
    """

    def __init__(self, example: str = "") -> None:
        self.example = example  # what showed that the column does not hold numbers
        self.labels: list[str] = []
        self.present = 0  # cells that are not missing
        self._known: dict[str, int] = {}
        self._raw: dict[bytes, int] = {}
        self._characters = 0
        self.overflowed = False

    def codes(self, cells: Iterable[str]) -> Codes:
        return self._counted(np.array([self._code(cell) for cell in cells], np.int64))

    def raw_codes(self, cells: list[bytes]) -> Codes:
        """The codes of words in UTF-8, which `bytes.decode` is spared for words met before."""
        known = self._raw
        codes = [known.get(cell, -2) for cell in cells]
        if -2 in codes:
            for place, code in enumerate(codes):
                if code == -2:
                    codes[place] = code = self._code(cells[place].decode())
                    if code < HASHED:
                        known[cells[place]] = code
        return self._counted(np.array(codes, np.int64))

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
            if is_missing(word):
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
