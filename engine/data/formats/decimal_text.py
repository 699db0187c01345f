"""Decimal numbers in a buffer of text, many at a time: eight digits in one integer operation.

A cell [sign] digits [. digits] is read as two runs of digits, its value being the whole number of all of them over a
power of ten. Eight characters are taken as one 64-bit integer and made a number by three multiplications
(https://johnnylee-sde.github.io/Fast-numeric-string-to-int/). Every value is the float64 nearest to the text; what
cannot be promised here (exponents, spaces, more digits, anything strange) is left to the caller.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

PAD = 24  # bytes that a buffer must have in front of its first cell
_U = np.uint64
_KEEP = np.array([((1 << 8 * v) - 1) << 8 * (8 - v) for v in range(9)], _U)  # the last v of eight characters
_ZEROS = np.array([0x3030303030303030 >> 8 * v if v < 8 else 0 for v in range(9)], _U)
_POWERS = np.array([10**k for k in range(20)], _U)
_FLOAT_POWERS = _POWERS.astype(np.float64)
_EXACT = 1 << 53  # whole numbers up to here are float64 numbers, and so are powers of ten up to 10²²
_WIDE = np.finfo(np.longdouble).nmant == 63  # x87: 64 bits of whole number
_LONG_POWERS = np.array([10**k for k in range(20)], np.longdouble)


def decimals(
    text: NDArray[np.uint8], starts: NDArray[np.intp], points: NDArray[np.intp], ends: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The numbers in text[start:end], and which of them could be read.

    `points` says where a cell's decimal point is, its end where it has none. An empty cell is not read.
    """
    words: NDArray[Any] = np.ndarray((len(text) - 7,), "<u8", text, strides=(1,))
    first = text[starts]
    signed = (first == ord("-")) | (first == ord("+"))
    digits = points - starts
    digits -= signed
    places = np.maximum(ends - points - 1, 0)
    total = digits + places
    # A point before the first digit is fine, one before the sign is not, and a lone sign is no number.
    fine = (total > 0) & (digits >= 0)
    if total.max(initial=0) <= 8:
        whole, good = _joined(words, points, ends, places, total if fine.all() else np.where(fine, total, 0))
    else:
        fine &= total <= 19
        whole, good = _digits(words, points, np.where(fine, digits, 0))
        places = np.where(fine, places, 0)
        part, better = _digits(words, ends, places)
        good &= better
        whole *= _POWERS[places]
        whole += part
    fine &= good
    values = whole.astype(np.float64)
    if (longest := int(places.max(initial=0))) > 0:
        values /= float(10**longest) if places.min() == longest else _FLOAT_POWERS[places]
    hard = whole > _EXACT
    if hard.any():
        fine &= _refine(values, whole, places, hard)
    np.negative(values, out=values, where=first == ord("-"))
    return values, fine


def _joined(
    words: NDArray[np.uint64],
    points: NDArray[np.intp],
    ends: NDArray[np.intp],
    places: NDArray[np.intp],
    total: NDArray[np.intp],
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """At most eight digits around a point, as one number; and which hold digits only."""
    w = words[ends - 8]
    if places.any():
        # Behind the point's digits come those in front of it, as if it were not there.
        w &= _KEEP[places]
        before = words[points - 8]
        before >>= places.astype(_U) << _U(3)
        w |= before
    return _eight(w, total)


def _digits(
    words: NDArray[np.uint64], ends: NDArray[np.intp], lengths: NDArray[np.intp]
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """The whole numbers that end before `ends`, of at most 19 digits; and which hold digits only."""
    longest = int(lengths.max(initial=0))
    number, good = _eight(words[ends - 8], np.minimum(lengths, 8))
    for done in range(8, longest, 8):
        more, fine = _eight(words[ends - 8 - done], np.clip(lengths - done, 0, 8))
        number += more * _U(10**done)
        good &= fine
    return number, good


def _eight(w: NDArray[np.uint64], length: NDArray[np.intp]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """The whole numbers in the last `length` of eight characters, which are overwritten; and which are digits."""
    w &= _KEEP[length]
    w |= _ZEROS[length]
    # A digit is 0x30 to 0x39: its high half is 3, and 3 it stays when 6 is added.
    above = w + _U(0x0606060606060606)
    above &= w
    above &= _U(0xF0F0F0F0F0F0F0F0)
    good = above == _U(0x3030303030303030)
    w -= _U(0x3030303030303030)
    high = w >> _U(8)
    w *= _U(10)
    w += high
    np.right_shift(w, _U(16), out=high)
    high &= _U(0x000000FF000000FF)
    high *= _U(1 + (10000 << 32))
    w &= _U(0x000000FF000000FF)
    w *= _U(100 + (1000000 << 32))
    w += high
    w >>= _U(32)
    return w, good


def _refine(
    values: NDArray[np.float64], whole: NDArray[np.uint64], places: NDArray[np.intp], hard: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Put in the values of more than 53 bits, by way of 64; which of all are sure to be the nearest.

    A quotient of 64 bits is within half a unit of its last place; rounded again to 53 bits it is wrong only if it
    lies next to the middle between two float64 numbers.
    """
    sure = ~hard
    if not _WIDE:
        return sure
    index = np.flatnonzero(hard)
    quotient = whole[index].astype(np.longdouble) / _LONG_POWERS[places[index]]
    rest = np.ascontiguousarray(quotient).view(np.uint64)[::2] & _U(0x7FF)
    values[index] = quotient.astype(np.float64)
    sure[index] = (rest < 0x3FE) | (rest > 0x402)
    return sure
