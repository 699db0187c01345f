"""Random numbers that belong to a row: a function of seed, epoch, row and purpose, however rows are batched.

SplitMix64 (Steele, Lea and Flood, 2014) read as a counter-based generator: a row's key is a hash of all four,
its numbers are the hashes of key + γ, key + 2γ, … A resumed run, and another batch size, draw the same ones.
"""

from copy import copy
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

GAMMA = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1
STEPS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, None))  # of the finalizer: shift, then multiply


class RowDraws:
    """What one augmentation draws for some rows in an epoch (counted from 1)."""

    def __init__(self, seed: int, epoch: int, purpose: int, rows: NDArray[np.intp], xp: ModuleType = np) -> None:
        key = 0
        for part in (seed, epoch, purpose):
            key = _mixed(((key ^ part) + GAMMA) & MASK)
        self._xp = xp
        self.keys: NDArray[np.uint64] = xp.asarray(rows).astype(
            np.uint64
        )  # a row each: whatever is drawn follows from it
        self.keys += xp.uint64(1)
        self.keys *= xp.uint64(GAMMA)
        self.keys += xp.uint64(key)
        _mix(self.keys, xp.empty_like(self.keys))

    def __getitem__(self, chunk: slice) -> "RowDraws":
        """The same draws, of some of the rows."""
        part = copy(self)
        part.keys = self.keys[chunk]
        return part

    def uniform(self, count: int) -> NDArray[np.float32]:
        """(rows, count) multiples of 2⁻²⁴ in [0, 1): the upper 24 bits of every half of a hash."""
        xp = self._xp
        places = xp.arange(1, -(-count // 2) + 1, dtype=np.uint64) * xp.uint64(GAMMA)
        hashes = self.keys[:, None] + places
        _mix(hashes, xp.empty_like(hashes))
        halves = hashes.view(np.uint32)
        halves >>= xp.uint32(8)
        drawn: NDArray[np.float32] = halves[:, :count].astype(np.float32)
        drawn *= xp.float32(2**-24)
        return drawn

    def symmetric(self, count: int) -> NDArray[np.float64]:
        """(rows, count) numbers in [−1, 1), for the few that say what happens to a whole row."""
        drawn: NDArray[np.float64] = self.uniform(count).astype(np.float64)
        return 2 * drawn - 1

    def order(self) -> NDArray[np.intp]:
        """The rows' places in a random order that depends on which rows they are, not on how they are arranged."""
        order: NDArray[np.intp] = self._xp.argsort(self.keys)
        return order

    def normal(self, count: int) -> NDArray[np.float32]:
        """(rows, count) standard normal numbers, by Box and Muller (1958); none is beyond ±5.8."""
        xp, pairs = self._xp, -(-count // 2)
        drawn = self.uniform(2 * pairs)
        radius, angle = 1 - drawn[:, :pairs], drawn[:, pairs:]  # in (0, 1], so that its logarithm exists
        xp.log(radius, out=radius)
        radius *= xp.float32(-2)
        xp.sqrt(radius, out=radius)
        angle = angle * xp.float32(2 * np.pi)
        normal: NDArray[np.float32] = xp.empty((len(drawn), 2 * pairs), np.float32)
        xp.multiply(radius, xp.cos(angle), out=normal[:, :pairs])
        xp.multiply(radius, xp.sin(angle), out=normal[:, pairs:])
        return normal[:, :count]


def _mixed(x: int) -> int:
    for shift, factor in STEPS:
        x ^= x >> shift
        x = x if factor is None else (x * factor) & MASK
    return x


def _mix(x: NDArray[Any], work: NDArray[Any]) -> None:
    """The same for arrays, in place."""
    for shift, factor in STEPS:
        np.right_shift(x, np.uint64(shift), out=work)
        x ^= work
        if factor is not None:
            x *= np.uint64(factor)
