"""What is learned from data is learned from train: rows of dev and test change nothing about it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data import ColumnSplit, Dataset, DataSpec, Table, prepare
from engine.data.column_types import CategoryType
from engine.data.encoding.normalizers import MinMaxNormalizer, StandardNormalizer

ROWS = 40
PART = np.arange(ROWS) % 4  # two rows of four are train
TRAIN = PART < 2


def table(seed: int, held_out: np.random.Generator | None = None) -> Table:
    generator = np.random.default_rng(seed)
    columns = {
        "x": generator.normal(size=ROWS),
        "gap": np.where(generator.random(ROWS) < 0.3, np.nan, generator.normal(size=ROWS)),
        "kind": generator.integers(-1, 4, ROWS).astype(np.int32),
        "image": generator.integers(0, 255, (ROWS, 2, 3)).astype(np.uint8),
        "label": np.arange(ROWS) % 3,
        "part": np.maximum(PART - 1, 0),
    }
    if held_out is not None:
        rows = np.flatnonzero(~TRAIN)
        columns["x"][rows] = held_out.normal(100, 50, len(rows))
        columns["gap"][rows] = held_out.choice([np.nan, 1e6], len(rows))
        columns["kind"][rows] = held_out.integers(-1, 5, len(rows))
        columns["image"][rows] = held_out.integers(0, 255, (len(rows), 2, 3))
        columns["label"][rows] = held_out.integers(0, 3, len(rows))
    return Table(columns, {"kind": CategoryType(labels=("a", "b", "c", "d", "e"))})


@pytest.mark.parametrize("normalizer", [StandardNormalizer(), MinMaxNormalizer()], ids=lambda known: known.type)
@given(seed=st.integers(0, 100), other=st.integers(0, 100))
def test_statistics_of_training_do_not_change_when_held_out_rows_do(normalizer, seed, other):
    spec = DataSpec(train="data", target="label", split=ColumnSplit(column="part"), normalize=normalizer)
    one, two = (
        prepare(spec, {"data": Dataset({"all": made})}, dtype="float64")
        for made in (table(seed), table(seed, np.random.default_rng(other)))
    )
    assert one.preprocessor.to_json() == two.preprocessor.to_json()
    assert one.preprocessor.arrays().keys() == two.preprocessor.arrays().keys()
    for name, array in one.preprocessor.arrays().items():
        np.testing.assert_array_equal(array, two.preprocessor.arrays()[name])
    np.testing.assert_array_equal(one.x["train"], two.x["train"])
    np.testing.assert_array_equal(one.y["train"], two.y["train"])
