"""Exponentials that a processor computes for many numbers at once, in float32; in float64 the C library's.

eˣ = 2ⁿ·eʳ with n = round(x/ln 2) and |r| ≤ ln 2/2, where a polynomial is good to the last bit or two.
All take x ≤ 0, which is all that losses and activations need.
"""

from math import exp, expm1
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload, register_jitable

from engine.compiling import bits_as_float

LOWEST = np.float32(-87.0)  # e^−87 is about the smallest normal number; below it nothing changes
PER_LN2 = np.float32(1.4426950408889634)
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
C2, C3, C4 = np.float32(0.5), np.float32(1.6666665459e-1), np.float32(4.1665795894e-2)
C5, C6, C7 = np.float32(8.3334519073e-3), np.float32(1.3981999507e-3), np.float32(1.9875691500e-4)
ONE, HALF, TWO = np.float32(1), np.float32(0.5), np.float32(2)


@register_jitable
def _expm1_parts(x: Any) -> Any:
    """2ⁿ and eʳ − 1."""
    x = max(x, LOWEST)
    n = np.floor(x * PER_LN2 + HALF)
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    p = ((((C7 * r + C6) * r + C5) * r + C4) * r + C3) * r + C2
    return bits_as_float((np.int32(n) + np.int32(127)) << np.int32(23)), p * (r * r) + r


def exponential(x: float) -> float:
    """eˣ for x ≤ 0."""
    return exp(x)


def exponential_minus_1(x: float) -> float:
    """eˣ − 1 for x ≤ 0, to full precision near 0."""
    return expm1(x)


def hyperbolic_tangent(x: float) -> float:
    """tanh x = −h/(h + 2) with h = e^−2|x| − 1, signed as x."""
    return float(np.tanh(x))


@overload(exponential)
def _exponential(x: Any) -> Any:
    if x == types.float32:

        def vectorized(x: Any) -> Any:
            power, rest = _expm1_parts(x)
            return power * rest + power

        return vectorized

    def exact(x: Any) -> Any:
        return exp(x)

    return exact


@overload(exponential_minus_1)
def _exponential_minus_1(x: Any) -> Any:
    if x == types.float32:

        def vectorized(x: Any) -> Any:
            power, rest = _expm1_parts(x)
            return power * rest + (power - ONE)

        return vectorized

    def exact(x: Any) -> Any:
        return expm1(x)

    return exact


@overload(hyperbolic_tangent)
def _hyperbolic_tangent(x: Any) -> Any:
    if x == types.float32:

        def vectorized(x: Any) -> Any:
            power, rest = _expm1_parts(-TWO * abs(x))
            h = power * rest + (power - ONE)
            return np.copysign(h / (h + TWO), x)

        return vectorized

    def exact(x: Any) -> Any:
        return np.tanh(x)

    return exact
