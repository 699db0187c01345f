"""A number read by compiled code is the float64 that Python reads."""

import math
import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.data.formats.csv.csv_dialect import Dialect
from engine.data.formats.csv.csv_rows import COMPILER, Layout, scanned
from engine.data.formats.csv.csv_text import Lines
from engine.data.reading.cell_values import is_missing, number_in

NUMBERS = (
    st.floats().map(repr)
    | st.floats(-1e6, 1e6).map(lambda x: f"{x:.6f}")
    | st.integers(-(10**21), 10**21).map(str)
    | st.decimals(allow_nan=False, allow_infinity=False, places=5).map(str)
    | st.integers(0, 2**64 - 1).map(lambda bits: f"{abs(struct.unpack('d', struct.pack('Q', bits))[0]):.17g}")
    | st.tuples(st.integers(0, 10**9), st.integers(0, 10**10)).map(lambda halves: f"{halves[0]}.{halves[1]}")
    | st.tuples(st.integers(0, 10**19), st.integers(-80, 80)).map(lambda halves: f"{halves[0]}e{halves[1]}")
)
CELLS = (
    NUMBERS
    | st.text("0123456789.-+eE a", max_size=22)
    | st.characters(exclude_categories=("Cs",), exclude_characters=',\n\r\0"')
)


def read(cells: list[str]) -> tuple[np.ndarray, set[int]]:
    compiled = COMPILER.scan(wait=True)
    assert compiled is not None
    raw = ",".join([*cells, "x"]).encode() + b"\n"  # a column each, as a word makes the rest of its column words
    rows = scanned(compiled, Lines(1, raw), Dialect(), Layout(len(cells) + 1, (len(cells),)))
    assert rows is not None and len(rows.numbers) == 1
    return rows.numbers[0].astype(float), {strange.column for strange in rows.strange}


@given(st.lists(CELLS, min_size=1, max_size=40))
def test_cells_are_the_numbers_that_python_reads_or_are_named(cells):
    values, strange = read(cells)
    for row, cell in enumerate(cells):
        number = number_in(cell)
        if is_missing(cell):
            assert row not in strange and math.isnan(values[row])
        elif number is None or not math.isfinite(number):
            assert row in strange
        else:
            assert row not in strange and struct.pack("d", values[row]) == struct.pack("d", number)


def test_a_million_digits_of_every_length_are_right():
    rng = np.random.default_rng(0)
    floats = rng.integers(0, 2**64, 60_000, dtype=np.uint64).view(np.float64)
    floats = floats[np.isfinite(floats)]
    cells = [repr(x) for x in floats.tolist()] + [f"{x:.18e}" for x in (floats[floats > 0] ** 0.1).tolist()]
    cells += [repr(x) for x in rng.normal(size=60_000).tolist()]
    cells += [f"{n}.0" for n in rng.integers(0, 2**63, 60_000).tolist()]
    values, strange = read(cells)
    assert not strange
    np.testing.assert_array_equal(values, list(map(float, cells)))


def test_numbers_halfway_between_two_floats_are_rounded_to_even():
    """Whole numbers of 54 bits or more that lie in the middle, as written and over powers of ten."""
    rng = np.random.default_rng(1)
    odd = [2 * int(n) + 1 for n in rng.integers(2**52, 2**53, 4000)]
    cells = [f"{n}." for n in odd] + [f"{n * 4}e+0" for n in odd] + [f"{n * 4 + d}." for n in odd for d in (-1, 1)]
    cells += [f"{n * 5**k}e-{k}" for k in (1, 2, 3) for n in odd if n * 5**k < 10**19]
    values, strange = read(cells)
    assert not strange
    np.testing.assert_array_equal(values, list(map(float, cells)))
