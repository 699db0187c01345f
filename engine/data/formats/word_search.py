"""Words in UTF-8 looked up in a hash table, compiled: `word_table` keeps its arrays.

Importing this module compiles it, or reads what was compiled from Numba's cache.
"""

from typing import Any

import numpy as np
from numba import int32, int64, njit, types, uint8, uint64, void

from engine.compiling import strict

PROBES = 64  # places of a table that are looked at for one word

_TEXT = types.Array(uint8, 1, "C", readonly=True)
_U = np.uint64
_FNV, _BASIS = _U(0x100000001B3), _U(0xCBF29CE484222325)


@njit
def _hash(text: Any, at: Any, end: Any) -> Any:
    """Fowler, Noll and Vo's hash of some bytes, its upper bits folded down."""
    h = _BASIS
    for place in range(at, end):
        h = (h ^ _U(text[place])) * _FNV
    return h ^ (h >> _U(32))


@strict(
    int64(
        _TEXT,
        int32[:, ::1],
        int32[::1],
        uint64[::1],
        int64[:, ::1],
        uint8[::1],
        int64[::1],
    )
)
def look_up(text: Any, cells: Any, slots: Any, hashes: Any, entries: Any, letters: Any, codes: Any) -> int:
    """Fill in the codes of cells (first byte, end) that a table knows, -2 for others; how many these are.

    slots (a power of two) hold places of entries (first letter, end, code), or -1; hashes are those of the entries.
    """
    mask = _U(len(slots) - 1)
    unknown = 0
    for row in range(len(cells)):
        at, end = cells[row, 0], cells[row, 1]
        code = -2
        if end >= at:
            h = _hash(text, at, end)
            slot = h & mask
            for _ in range(PROBES):
                entry = slots[slot]
                if entry < 0:
                    break
                first = entries[entry, 0]
                if hashes[entry] == h and entries[entry, 1] - first == end - at:
                    same = True
                    for place in range(end - at):
                        if letters[first + place] != text[at + place]:
                            same = False
                            break
                    if same:
                        code = entries[entry, 2]
                        break
                slot = (slot + _U(1)) & mask
        codes[row] = code
        unknown += code == -2
    return unknown


@strict(void(uint8[::1], int64[:, ::1], int64, int64, int32[::1], uint64[::1]))
def enter(letters: Any, entries: Any, begin: Any, stop: Any, slots: Any, hashes: Any) -> None:
    """Put the entries from `begin` to `stop` into the slots; one that finds no free slot near its own is left out."""
    mask = _U(len(slots) - 1)
    for entry in range(begin, stop):
        h = _hash(letters, entries[entry, 0], entries[entry, 1])
        hashes[entry] = h
        slot = h & mask
        for _ in range(PROBES):
            if slots[slot] < 0:
                slots[slot] = entry
                break
            slot = (slot + _U(1)) & mask
