"""From rows as they are stored to a batch of inputs in one pass: gathered, scaled and rounded, a byte a pixel."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.compiling import entrance

STORED = (np.uint8, np.float32, np.float64)


Vector: TypeAlias = NDArray[np.float64]


@entrance
def _gather_scaled(x: Any, rows: Any, shift: Any, divisor: Any, out: Any) -> None:
    for number in range(len(rows)):
        row = rows[number]
        for place in range(x.shape[1]):
            out[number, place] = (np.float64(x[row, place]) - shift[place]) / divisor[place]


def gather_scaled(x: NDArray[Any], rows: NDArray[np.intp], shift: Vector, divisor: Vector, out: NDArray[Any]) -> None:
    """out = (x[rows] − shift) / divisor, reckoned in float64 and rounded once.

    x is (m × n), out (len(rows) × n), of kinds that `can_scale` takes; rows lie in 0 … m − 1, which is not looked at.
    """
    _gather_scaled(x, rows, shift, divisor, out)


def can_scale(x: NDArray[Any], out: NDArray[Any]) -> bool:
    """Whether both are of the few kinds that there is machine code for."""
    return x.dtype in STORED and out.dtype in STORED[1:] and x.flags.c_contiguous and out.flags.c_contiguous


def warm() -> None:
    """Have the machine code ready for every kind of stored row."""
    for stored in STORED:
        for made in STORED[1:]:
            x, out = np.zeros((1, 1), stored), np.zeros((1, 1), made)
            gather_scaled(x, np.zeros(1, np.intp), np.zeros(1), np.ones(1), out)
