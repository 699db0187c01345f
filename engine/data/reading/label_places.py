"""Label equality: which of the labels that training met a cell means.

Labels are equal as trimmed text; else, where both are plain numbers without leading zeros or both are truth values, by
value, if exactly one known label has that value.
"""

from collections import Counter
from decimal import Decimal
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.data.reading.cell_values import YES_NO, plain_value

Value = Decimal | bool


class LabelPlaces:
    """Known labels, and the place of the one that a text means."""

    def __init__(self, known: tuple[str, ...]) -> None:
        self._by_text = {text.strip(): place for place, text in enumerate(known)}
        values = [(value, place) for place, text in enumerate(known) if (value := _value(text.strip())) is not None]
        times = Counter((type(value), value) for value, _ in values)
        self._by_value = {(type(value), value): place for value, place in values if times[type(value), value] == 1}

    def place(self, text: str) -> int:
        """The place of the label that a text means; -1 for an unseen one."""
        text = text.strip()
        place = self._by_text.get(text)
        if place is None:
            value = _value(text)
            place = None if value is None else self._by_value.get((type(value), value))
        return -1 if place is None else place


def _value(text: str) -> Value | None:
    truth = YES_NO.get(text.lower())
    return plain_value(text) if truth is None else truth


@lru_cache(maxsize=256)
def label_places(known: tuple[str, ...]) -> LabelPlaces:
    """The places of known labels, worked out once."""
    return LabelPlaces(known)


@lru_cache(maxsize=256)
def places_among(known: tuple[str, ...], texts: tuple[str, ...], unseen: int) -> NDArray[np.int64]:
    """The place among the known of every text; one entry more, -1, for what is missing."""
    places = label_places(known)
    found = [places.place(text) for text in texts]
    return np.array([*(unseen if place < 0 else place for place in found), -1], np.int64)
