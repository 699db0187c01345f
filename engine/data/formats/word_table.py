"""The words of a column that have a code already, in arrays that compiled code can search."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_ENTRIES = 1 << 17
MOST_LETTERS = 1 << 24  # bytes


class WordTable:
    """A hash table of words in UTF-8 and their codes; its memory is bounded, what does not fit is not entered."""

    def __init__(self) -> None:
        self._count = 0
        self._letters = np.empty(64, np.uint8)
        self._entries = np.zeros((8, 3), np.int64)  # first letter, end, code
        self._hashes = np.empty(8, np.uint64)
        self._slots = np.full(16, -1, np.int32)

    @property
    def arrays(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """What compiled code searches: slots, hashes, entries, letters."""
        return self._slots, self._hashes, self._entries, self._letters

    def enter(self, words: Mapping[bytes, int]) -> None:
        """Make words known."""
        from engine.data.formats.word_search import enter  # compiled code: loaded by those who use it

        begin, end = self._count, int(self._entries[self._count - 1, 1]) if self._count else 0
        letters = b"".join(words)
        if begin + len(words) > MOST_ENTRIES or end + len(letters) > MOST_LETTERS:
            return
        self._count = begin + len(words)
        self._letters = _grown(self._letters, end + len(letters))
        self._letters[end : end + len(letters)] = np.frombuffer(letters, np.uint8)
        self._entries, self._hashes = _grown(self._entries, self._count), _grown(self._hashes, self._count)
        for place, (word, code) in enumerate(words.items(), start=begin):
            self._entries[place] = end, end + len(word), code
            end += len(word)
        if 2 * self._count > len(self._slots):
            self._slots = np.full(4 << (2 * self._count - 1).bit_length(), -1, np.int32)
            begin = 0
        enter(self._letters, self._entries, begin, self._count, self._slots, self._hashes)


def _grown(array: NDArray[Any], size: int) -> NDArray[Any]:
    """An array with room for so many, twice as much as needed when it has to be made anew."""
    if size <= len(array):
        return array
    larger = np.empty((2 * size, *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
