"""Columns in a file give the rows that the same columns in memory give, and read no more than those."""

import tracemalloc
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.data import Dataset, Table
from engine.data.storage import stored
from engine.data.storage.stored_columns import ArrayBlock, BlockColumn, PickedBlock, RowFile
from engine.data.table import stacked
from engine.errors import DataError

ROWS = 50


def table(rows: int = ROWS) -> Table:
    generator = np.random.default_rng(rows)
    return Table(
        {
            "a": generator.random(rows),
            "b": generator.random(rows),
            "code": generator.integers(0, 9, rows).astype(np.int32),
            "image": generator.integers(0, 255, (rows, 2, 3)).astype(np.uint8),
        }
    )


@pytest.fixture(scope="module")
def in_file(new_folder: Callable[[], Path]) -> Table:
    path = new_folder() / "d"
    Dataset({"all": table()}).save(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored, "SMALL", 0)
        loaded = Dataset.load(path).training
    assert all(isinstance(column, BlockColumn) for column in loaded.columns.values())
    return loaded


def same(found: Table, expected: Table) -> None:
    assert found.rows == expected.rows and list(found.columns) == list(expected.columns)
    read = found.read()
    for name, column in expected.columns.items():
        assert isinstance(read.columns[name], np.ndarray) and read.columns[name].dtype == column.dtype
        np.testing.assert_array_equal(read.columns[name], column)
        np.testing.assert_array_equal(np.asarray(found.columns[name]), column)


SLICES = st.slices(ROWS)
INDICES = st.lists(st.integers(-ROWS, ROWS - 1), max_size=80).map(lambda rows: np.array(rows, np.intp))
MASKS = st.lists(st.booleans(), min_size=ROWS, max_size=ROWS).map(np.array)


@given(SLICES | INDICES | MASKS)
@example(np.array([7, 7, 9]))
def test_any_choice_of_rows_is_the_one_that_an_array_makes(in_file: Table, wanted: slice | np.ndarray) -> None:
    for name, column in table().columns.items():
        np.testing.assert_array_equal(in_file.columns[name][wanted], column[wanted])


@st.composite
def choices(draw: st.DrawFn) -> list[tuple[bool, slice | list[int]]]:
    """Steps of which each doubles the rows, or not, and then takes some of them."""
    steps, rows = [], ROWS
    for _ in range(draw(st.integers(1, 4))):
        doubled = draw(st.booleans())
        rows *= 1 + doubled
        slices = st.slices(rows).filter(lambda chosen: abs(chosen.step or 1) < 1 << 62)  # as NumPy has it
        index = draw(slices | (st.lists(st.integers(-rows, rows - 1), max_size=99) if rows else st.just([])))
        steps.append((doubled, index))
        rows = len(np.arange(rows)[index if isinstance(index, slice) else np.array(index, np.intp)])
    return steps


@given(choices())
@example([(False, slice(None, 0)), (False, slice(None, None, -1))])
@example([(False, slice(None, None, -1)), (False, slice(None, None, -1)), (False, slice(-1, None, -2))])
@example([(False, slice(3, 3)), (True, slice(None, None, -3)), (False, slice(None, None, 2))])
@example([(True, [-1, 0, 50]), (False, [-1, -3]), (True, slice(None, None, -1))])
def test_choices_of_choices_and_stacks_too(in_file: Table, steps: list[tuple[bool, slice | list[int]]]) -> None:
    here, there = in_file, table()
    for doubled, step in steps:
        if doubled:
            here, there = stacked([here, here]), stacked([there, there])
        index = step if isinstance(step, slice) else np.array(step, np.intp)
        here, there = here.take(index), there.take(index)
    same(here, there)


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_every_slice_of_every_slice_is_the_one_of_an_array(rows: int) -> None:
    numbers = np.arange(rows)
    ends = [None, -9, -2, -1, 0, 1, 3, 9]
    slices = [slice(*bounds) for bounds in product(ends, ends, (None, 2, -1))]
    for first in slices:
        picked, expected = PickedBlock(ArrayBlock(numbers), first), numbers[first]
        for second in slices:
            assert picked.read(second).tolist() == expected[second].tolist(), (first, second)


def test_columns_of_a_block_are_read_once_together(in_file: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    read = RowFile.read

    def counted(self: RowFile, offset: int, out: np.ndarray) -> None:
        calls.append(out.nbytes)
        read(self, offset, out)

    monkeypatch.setattr(RowFile, "read", counted)
    in_file.take(np.array([7, 3, 8, 3])).read()
    assert sorted(calls) == [6 * 4, 6 * 6, 6 * 16]  # rows 3 to 8 of the codes, the images and both numbers


def test_taking_rows_reads_nothing_and_reading_few_of_many_takes_little_memory(tmp_path: Path) -> None:
    rows = 200_000
    x = np.zeros((rows, 100), np.float32)
    x[:, 0] = np.arange(rows)
    Dataset({"all": Table({"x": x})}).save(tmp_path / "d")
    del x
    index = np.random.default_rng(0).permutation(rows)
    tracemalloc.start()
    try:
        lazy = Dataset.load(tmp_path / "d").training.take(index).take(slice(0, 64))
        found = lazy.read().columns["x"]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(found[:, 0], index[:64])
    assert peak < 1 << 20


def test_a_file_that_was_cut_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "d"
    Dataset({"all": Table({"x": np.zeros((100_000, 20))})}).save(path)
    loaded = Dataset.load(path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 8)
    with pytest.raises(DataError, match="ends before its last row"):
        loaded.training.whole("x")
