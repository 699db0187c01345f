"""A number read eight digits at a time is the float64 that Python reads."""

import math
import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.data.formats.cell_values import number_in
from engine.data.formats.csv_cells import PlainCells

NUMBERS = (
    st.floats().map(repr)
    | st.floats(-1e6, 1e6).map(lambda x: f"{x:.6f}")
    | st.integers(-(10**21), 10**21).map(str)
    | st.decimals(allow_nan=False, allow_infinity=False, places=5).map(str)
    | st.integers(0, 2**64 - 1).map(lambda bits: f"{abs(struct.unpack('d', struct.pack('Q', bits))[0]):.17g}")
    | st.tuples(st.integers(0, 10**9), st.integers(0, 10**10)).map(lambda halves: f"{halves[0]}.{halves[1]}")
)
CELLS = NUMBERS | st.text("0123456789.-+eE a", max_size=22) | st.characters(codec="utf-8", exclude_characters="\n\r\0")


def read(cells: list[str]) -> tuple[np.ndarray, set[int]]:
    raw = "".join(cell + "\n" for cell in cells).encode()
    plain = PlainCells.of(raw, 1, "\n", range(len(cells)))
    assert plain is not None
    values, strange = plain.numbers([0])
    return values[:, 0], {row for row, _ in strange}


@given(st.lists(CELLS, min_size=1, max_size=40))
def test_cells_are_the_numbers_that_python_reads_or_are_named(cells):
    values, strange = read(cells)
    for row, cell in enumerate(cells):
        number = number_in(cell)
        if cell and (number is None or not math.isfinite(number)):
            assert row in strange
        elif cell:
            assert row not in strange and values[row] == number
        else:
            assert math.isnan(values[row])


def test_a_million_digits_of_every_length_are_right():
    rng = np.random.default_rng(0)
    floats = rng.integers(0, 2**64, 60_000, dtype=np.uint64).view(np.float64)
    cells = [repr(x) for x in floats[np.isfinite(floats)].tolist()]
    cells += [repr(x) for x in rng.normal(size=60_000).tolist()]
    cells += [str(n) for n in rng.integers(0, 2**63, 60_000).tolist()]
    values, strange = read(cells)
    assert not strange
    np.testing.assert_array_equal(values, list(map(float, cells)))
