"""One pass over the bytes of a CSV file, compiled: where cells end, what numbers they are, which words.

Importing this module compiles it, or reads what was compiled from Numba's cache. Nothing here decides what a file
means: a block that is anything but plain rows is given back, and Python's csv module reads it (`csv_rows`).
A number [sign] digits [. digits] [e exponent] is a whole number w times a power of ten. Up to 2⁵³ and 10²² both are
float64 numbers, so that one multiplication or division rounds once. Beyond, the product is made of 128 bits of
the power (Eisel and Lemire, "Number parsing at a gigabyte per second", 2021). So every value is the nearest float64;
what has more than 19 digits, or an exponent beyond ±60, is left to Python.
"""

from typing import Any

import numpy as np
from numba import boolean, float64, int32, int64, njit, types, uint8
from numpy.typing import NDArray

from engine.compiling import strict

DONE, NOT_PLAIN, MORE_ODD = 0, 1, 2  # what became of a block
_TEXTUAL, _NUMBER, _DOUBLED = 0, 1, 2  # kinds of cells
LONGEST = 1 << 17  # bytes of a cell, as Python's csv module has it

_U = np.uint64
_POWER = 60  # the greatest exponent, either way
_EXACT = np.array([10.0**k for k in range(23)])
_QUOTE, _POINT, _NEWLINE, _RETURN, _SPACE, _PLUS, _MINUS, _ZERO, _NINE = (ord(c) for c in '".\n\r +-09')


def _powers() -> NDArray[np.uint64]:
    """The upper 128 bits of 5^q for q from −60 to 60, as two words each; of 1/5ⁿ as the paper rounds them."""
    words = []
    for q in range(-_POWER, _POWER + 1):
        power = 5 ** abs(q)
        if q < 0:
            bits = power.bit_length()
            power = (1 << (bits + 127 if q >= -27 else 2 * bits + 128)) // power + 1
        shift = power.bit_length() - 128
        power = power >> shift if shift > 0 else power << -shift
        words.append((power >> 64, power & ((1 << 64) - 1)))
    return np.array(words, np.uint64)


_POWERS = _powers()
_TWOS = np.array([2.0**k for k in range(-300, 301)])


@njit
def _high(a: Any, b: Any) -> Any:
    """The upper 64 bits of a product of 128."""
    half, mask = _U(32), _U(0xFFFFFFFF)
    a0, a1, b0, b1 = a & mask, a >> half, b & mask, b >> half
    crossed, other = a0 * b1, a1 * b0
    middle = ((a0 * b0) >> half) + (crossed & mask) + (other & mask)
    return a1 * b1 + (crossed >> half) + (other >> half) + (middle >> half)


@njit
def _nearest(w: Any, q: Any) -> Any:
    """w·10^q for w > 0 and |q| ≤ 60, rounded once; and whether that is sure."""
    leading = 0
    while w >> _U(63) == _U(0):
        w <<= _U(1)
        leading += 1
    upper, lower = _POWERS[q + _POWER, 0], _POWERS[q + _POWER, 1]
    low, high = w * upper, _high(w, upper)
    if high & _U(0x1FF) == _U(0x1FF):  # the bits below may carry into those that are kept
        carry = _high(w, lower)
        low += carry
        if carry > low:
            high += _U(1)
    if low == _U(0xFFFFFFFFFFFFFFFF) and (q < -27 or q > 55):
        return 0.0, False
    top = high >> _U(63)
    mantissa = high >> (top + _U(9))
    exponent = ((217706 * q) >> 16) + 63 + np.int64(top) - leading
    halfway = low <= _U(1) and -4 <= q <= 23 and mantissa & _U(3) == _U(1)
    if halfway and mantissa << (top + _U(9)) == high:
        mantissa &= ~_U(1)  # to even
    mantissa += mantissa & _U(1)
    mantissa >>= _U(1)
    # mantissa < 2⁵³ (2⁵³ after a carry), so all that is left is a power of two.
    return np.float64(mantissa) * _TWOS[exponent - 52 + 300], True


@njit
def _number(text: Any, at: Any) -> Any:
    """The number that begins there, where its text ends, and whether it is one; NaN and no where there is none."""
    c = text[at]
    negative = c == _MINUS
    signed = negative or c == _PLUS
    if signed:
        at += 1
    first = at
    w, digits, places = _U(0), 0, 0
    c = text[at]
    while _ZERO <= c <= _NINE:
        w = w * _U(10) + _U(c - _ZERO)
        digits += 1
        at += 1
        c = text[at]
    code = not signed and digits > 1 and text[first] == _ZERO
    if c == _POINT:
        code = False
        at += 1
        c = text[at]
        while _ZERO <= c <= _NINE:
            w = w * _U(10) + _U(c - _ZERO)
            places += 1
            at += 1
            c = text[at]
    if digits + places == 0:
        return np.nan, at, False
    power, bare = -places, False
    pointed = text[at - 1] == _POINT
    if c == 101 or c == 69:  # e
        code = False
        at += 1
        c = text[at]
        down = c == _MINUS
        if down or c == _PLUS:
            at += 1
            c = text[at]
        if not _ZERO <= c <= _NINE:
            return np.nan, at, False
        bare = not pointed and not signed and text[at - 1] != _PLUS and not down
        exponent = 0
        while _ZERO <= c <= _NINE:
            exponent = min(exponent * 10 + (c - _ZERO), 10_000)
            at += 1
            c = text[at]
        power += -exponent if down else exponent
    surplus = digits + places - 19
    while surplus > 0 and (text[first] == _ZERO or text[first] == _POINT):  # zeros in front do not count
        surplus -= text[first] == _ZERO
        first += 1
    if code or surplus > 0 or (places == 0 and power == 0 and w > _U(1 << 53)):
        return np.nan, at, False
    if bare and digits > 1 and places == 0:  # 655e38 is a code, as Python has it
        return np.nan, at, False
    if w == _U(0):
        value = 0.0
    elif w <= _U(1 << 53) and -22 <= power <= 22:
        value = np.float64(w) / _EXACT[-power] if power < 0 else np.float64(w) * _EXACT[power]
    elif -_POWER <= power <= _POWER:
        value, sure = _nearest(w, power)
        if not sure:
            return np.nan, at, False
    else:
        return np.nan, at, False
    return (-value if negative else value), at, True


@njit
def _lower(c: Any) -> Any:
    return c | 32 if 65 <= c <= 90 else c


@njit
def _is_missing(text: Any, at: Any, end: Any) -> Any:
    """Whether it is ?, NA, NaN, null or none; other spellings are left to Python."""
    size, c = end - at, _lower(text[at])
    if size == 1:
        return c == 63  # ?
    if size < 2 or size > 4 or c != 110:  # n
        return False
    second = _lower(text[at + 1])
    if size == 2:
        return second == 97  # na
    third = _lower(text[at + 2])
    if size == 3:
        return second == 97 and third == 110  # nan
    fourth = _lower(text[at + 3])
    return (second == 117 and third == 108 and fourth == 108) or (second == 111 and third == 110 and fourth == 101)


@njit
def _cell(text: Any, at: Any, delimiter: Any, wanted: Any) -> Any:
    """Any cell: the place of the delimiter or newline behind it (-1 if there is none), the end and the beginning of
    what it holds, whether that is a number or has doubled quotes, and the number if it is one and wanted."""
    kind, value, begin = _TEXTUAL, np.nan, at
    if text[at] == _QUOTE:
        at += 1
        begin = at
        while True:
            while at < len(text) and text[at] != _QUOTE:
                at += 1
            if at + 1 >= len(text):
                return -1, at, begin, kind, value
            if text[at + 1] != _QUOTE:
                break
            kind = _DOUBLED
            at += 2
        end = at
        at += 1
    else:
        c = text[at]
        while c != delimiter and c != _NEWLINE and c != _RETURN:
            at += 1
            c = text[at]
        end = at
    if text[at] == _RETURN and text[at + 1] == _NEWLINE:
        at += 1
    if end - begin > LONGEST or (text[at] != delimiter and text[at] != _NEWLINE):
        return -1, at, begin, kind, value
    if wanted and begin < end:
        number, stop, fine = _number(text, begin)
        if fine and stop == end:
            kind, value = _NUMBER, number
    return at, end, begin, kind, value


_TEXT = types.Array(uint8, 1, "C", readonly=True)


@strict(
    types.UniTuple(int64, 3)(  # type: ignore[no-untyped-call]
        _TEXT, uint8, boolean, int32[::1], float64[:, ::1], int32[:, :, ::1], int32[::1], int32[:, ::1], uint8[::1]
    )
)
def scan(
    text: Any, delimiter: Any, spaced: Any, targets: Any, numbers: Any, words: Any, begins: Any, odd: Any, unusual: Any
) -> tuple[int, int, int]:
    """Read whole lines, the last ended by a newline: what became of it, how many rows there are, how many odd cells.

    targets says for every column its place among the numbers, or −1 − its place among the words. Filled are
    numbers (rows × numbers), words (words × rows × first byte and end, ~end where a quote is doubled inside),
    begins (rows: first byte of the row) and odd (row, place, first byte, end: cells among the numbers that Python
    has to read); unusual marks numbers' columns with a cell that is not spelled the shortest way. DONE, NOT_PLAIN or
    MORE_ODD, for which `odd` was too short.
    """
    columns, size, most = len(targets), len(text), len(begins)
    at, row, odds = 0, 0, 0
    while at < size:
        begin, before, column, blank = at, odds, 0, False
        while True:
            if spaced:
                while text[at] == _SPACE:
                    at += 1
            target, start = targets[column], at
            # First what most cells are: a short decimal number, or a word without quotes.
            fine = False
            c = text[at]
            if target >= 0:
                negative = c == _MINUS
                if negative:
                    at += 1
                    c = text[at]
                first = at
                w: Any = 0
                while _ZERO <= c <= _NINE:
                    w = w * 10 + (np.int64(c) - _ZERO)
                    at += 1
                    c = text[at]
                digits, places = at - first, 0
                fine = digits < 2 or text[first] != _ZERO or negative or c == _POINT
                if c == _POINT:
                    at += 1
                    c = text[at]
                    point = at
                    while _ZERO <= c <= _NINE:
                        w = w * 10 + (np.int64(c) - _ZERO)
                        at += 1
                        c = text[at]
                    places = at - point
                    digits = digits + places if places > 0 else 0  # 5. is left to the longer way
                fine = fine and (c == delimiter or c == _NEWLINE) and 0 < digits < 19 and row < most  # noqa: SIM109
                value = 0.0
                if fine and w <= 1 << 53:
                    value = np.float64(w) / _EXACT[places] if places else np.float64(w)
                elif fine:  # a greater whole number is kept exactly, by Python
                    value, fine = _nearest(_U(w), -places) if places else (0.0, False)
                if fine:
                    numbers[row, target] = -value if negative else value
                    if places and not unusual[target]:
                        leading = text[first] == _ZERO and digits > places + 1
                        if text[at - 1] == _ZERO or digits > 15 or digits == places or leading:
                            unusual[target] = 1
                    elif negative and text[first] == _ZERO:
                        unusual[target] = 1
                else:
                    at = start
            elif c != _QUOTE and row < most:
                while c != delimiter and c != _NEWLINE and c != _RETURN:
                    at += 1
                    c = text[at]
                fine = c != _RETURN and at - start <= LONGEST and (column > 0 or c == delimiter)
                if fine:
                    words[-1 - target, row, 0] = start
                    words[-1 - target, row, 1] = at
                else:
                    at = start
            if not fine:
                at, end, inner, plain, value = _cell(text, at, delimiter, target >= 0)
                if at < 0:
                    return NOT_PLAIN, row, odds
                c = text[at]
                if (
                    column == 0
                    and c == _NEWLINE
                    and (columns > 1 or at == begin or at == begin + (text[begin] == _RETURN))
                ):
                    blank = inner == start
                    for place in range(start, end):
                        blank = blank and (text[place] == _SPACE or 9 <= text[place] <= 13)
                    if not blank:
                        return NOT_PLAIN, row, odds
                    at += 1
                    break
                if row >= most:
                    return NOT_PLAIN, row, odds
                last = ~end if plain == _DOUBLED else end
                if target < 0:
                    words[-1 - target, row, 0] = inner
                    words[-1 - target, row, 1] = last
                else:
                    numbers[row, target] = value
                    if inner < end:
                        unusual[target] = 1
                    if plain != _NUMBER and inner < end and not _is_missing(text, inner, end):
                        if odds == len(odd):
                            return MORE_ODD, row, odds
                        odd[odds, 0] = row
                        odd[odds, 1] = target
                        odd[odds, 2] = inner
                        odd[odds, 3] = last
                        odds += 1
            at += 1
            column += 1
            if column == columns or c == _NEWLINE:
                break
        if blank:
            odds = before
        elif column != columns or c != _NEWLINE:
            return NOT_PLAIN, row, odds
        else:
            begins[row] = begin
            row += 1
    return DONE, row, odds


@strict(boolean(float64[::1], uint8[::1]))
def narrowed(numbers: Any, out: Any) -> bool:
    """Fill in the numbers as bytes; False where one is none."""
    for place in range(len(numbers)):
        number = numbers[place]
        if not 0 <= number <= 255 or np.signbit(number) or np.int64(number) != number:
            return False
        out[place] = np.int64(number)
    return True
