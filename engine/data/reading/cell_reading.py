"""Cell reading: what the cells of one column mean, kept with the column and with every model that learned from it."""

from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.component import Component
from engine.data.reading.cell_values import MISSING, YES_NO, number_in, number_label, plain_value
from engine.data.reading.number_format import PLAIN, NumberFormat

STANDARD = tuple(sorted(MISSING - {""}))  # spellings of what is missing, beside a blank

YES = frozenset(("true", "yes", "y", "t", "1", "on"))
NO = frozenset(("false", "no", "n", "f", "0", "off"))

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]


class CellReading(Component):
    """Cell reading: the number format, the spellings of what is missing, and whether truth values count as numbers."""

    number: NumberFormat = PLAIN
    missing: tuple[str, ...] = STANDARD  # in lower case; a blank is always missing
    truth: bool = False  # in a column of numbers: true is 1 and false is 0
    lenient: bool = False  # what cannot be read counts as missing, because the spec asks for that

    @cached_property
    def missing_numbers(self) -> tuple[float, ...]:
        """Numbers that stand for a missing value, such as -999."""
        found = [self.number.number(word) for word in self.missing]
        return tuple(number for number in found if number is not None and np.isfinite(number))

    def is_missing(self, text: str) -> bool:
        """Whether a text stands for nothing."""
        word = text.strip().lower()
        if not word or word in self.missing:
            return True
        return bool(self.missing_numbers) and self.number.number(word) in self.missing_numbers

    def number_in(self, text: str) -> float | None:
        """The finite number that a text is by the column's format, else a plain one; None where it is none."""
        found = self.number.number(text)
        if found is None:
            found = number_in(text)
        if found is None and self.truth and (word := text.strip().lower()) in YES_NO:
            return float(YES_NO[word])
        return found if found is not None and abs(found) < np.inf else None


def truth_in(text: str) -> bool | None:
    """Yes or no; None for anything else."""
    word = text.strip().lower()
    if word in YES or word in NO:
        return word in YES
    value = plain_value(word)
    return bool(value) if value in (0, 1) else None


def text_of(value: Any) -> str | None:
    """The text that a JSON value is read as: a label, trimmed; None for arrays, objects and what is not finite."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating) and np.isfinite(value):
        return number_label(float(value))
    return None


@lru_cache(maxsize=512)
def numbers_of(reading: CellReading, texts: tuple[str, ...]) -> tuple[Numbers, Mask]:
    """What texts are as numbers, NaN where they are missing or none; and which of them cannot be read.

    One entry more than there are texts, for what is missing: code -1.
    """
    return _meanings(texts, reading, reading.number_in)


@lru_cache(maxsize=512)
def truths_of(reading: CellReading, texts: tuple[str, ...]) -> tuple[Numbers, Mask]:
    """The same as yes (1) and no (0)."""
    return _meanings(texts, reading, truth_in)


def _meanings(texts: tuple[str, ...], reading: CellReading, meaning: Any) -> tuple[Numbers, Mask]:
    values, unreadable = np.full(len(texts) + 1, np.nan), np.zeros(len(texts) + 1, bool)
    for place, text in enumerate(texts):
        found = None if reading.is_missing(text) else meaning(text)
        if found is not None:
            values[place] = found
        else:
            unreadable[place] = not (reading.lenient or reading.is_missing(text))
    return values, unreadable
