"""Dropout's random numbers, the same bits as NumPy's: Philox 4x64 with ten rounds (Salmon et al. 2011).

The numbers of a block depend on its counter only, so threads make parts of a mask independently. A uniform number is
below keep_prob exactly where its integer is below a threshold, so no number is ever formed.
"""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from engine.compiling import compiled
from engine.parameters import Array

MULTIPLIER_0, MULTIPLIER_1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
WEYL_0, WEYL_1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
LOW, SHIFT = np.uint64(0xFFFFFFFF), np.uint64(32)
ROUNDS = 10


def threshold(keep_prob: float, dtype: np.dtype[np.floating]) -> int:
    """The integers below it are the numbers below keep_prob, of 24 bits in float32 and 53 in float64."""
    return ceil(float(dtype.type(keep_prob)) * 2.0 ** (24 if dtype == np.float32 else 53))


@compiled
def high_and_low(a: np.uint64, b: np.uint64) -> tuple[np.uint64, np.uint64]:
    """The 128 bits of a·b."""
    a_low, a_high, b_low, b_high = a & LOW, a >> SHIFT, b & LOW, b >> SHIFT
    low = a_low * b_low
    middle = a_high * b_low + (low >> SHIFT)
    other = a_low * b_high + (middle & LOW)
    return a_high * b_high + (middle >> SHIFT) + (other >> SHIFT), a * b


@compiled
def block(number: int, step: int, key_0: np.uint64, key_1: np.uint64, out: NDArray[np.uint64]) -> None:
    """The four words of block `number`, counted from 0, of a step."""
    c0, c1 = np.uint64(number + 1), np.uint64(step)  # NumPy counts up before it draws
    c2, c3 = np.uint64(0), np.uint64(0)
    for _ in range(ROUNDS):
        high_0, low_0 = high_and_low(MULTIPLIER_0, c0)
        high_1, low_1 = high_and_low(MULTIPLIER_1, c2)
        c0, c1, c2, c3 = high_1 ^ c1 ^ key_0, low_1, high_0 ^ c3 ^ key_1, low_0
        key_0 += WEYL_0
        key_1 += WEYL_1
    out[0], out[1], out[2], out[3] = c0, c1, c2, c3


@compiled
def draw(
    mask: NDArray[np.uint8],
    first: int,
    limit: int,
    step: int,
    key_0: np.uint64,
    key_1: np.uint64,
    words: NDArray[np.uint64],
    like: Array,
) -> None:
    """Where a layer's units stay on, for the numbers from `first` of its step; `like` says the precision."""
    end = first + len(mask)
    if like.itemsize == 4:
        below = np.uint64(limit)
        for number in range(first // 8, (end + 7) // 8):
            block(number, step, key_0, key_1, words)
            at = number * 8 - first
            if at >= 0 and at + 8 <= len(mask):
                for j in range(4):
                    mask[at + 2 * j] = (words[j] & LOW) >> np.uint64(8) < below
                    mask[at + 2 * j + 1] = words[j] >> np.uint64(40) < below
            else:
                for j in range(8):
                    if 0 <= at + j < len(mask):
                        half = words[j >> 1] >> np.uint64(32 * (j & 1)) & LOW
                        mask[at + j] = half >> np.uint64(8) < below
    else:
        below = np.uint64(limit)
        for number in range(first // 4, (end + 3) // 4):
            block(number, step, key_0, key_1, words)
            for j in range(4):
                at = number * 4 - first + j
                if 0 <= at < len(mask):
                    mask[at] = words[j] >> np.uint64(11) < below
