"""Rows of one array are scaled by compiled code, with the very numbers that the formulas give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from engine.data.encoding.encoders import TensorEncoder
from engine.data.encoding.normalizers import (
    AnyNormalizer,
    MinMaxNormalizer,
    NoNormalizer,
    ScaleNormalizer,
    StandardNormalizer,
)
from engine.data.encoding.preprocessor import Preprocessor
from engine.data.encoding.target_column import TargetColumn
from engine.data.table import Table
from engine.kernels.scaling import can_scale, gather_scaled

NORMALIZERS: list[AnyNormalizer] = [
    NoNormalizer(),
    StandardNormalizer(),
    MinMaxNormalizer(),
    ScaleNormalizer(divide_by=3.0),
]
SHAPES = arrays.array_shapes(min_dims=2, max_dims=4, max_side=6)
ROWS = st.one_of(
    arrays.arrays(np.uint8, SHAPES),
    arrays.arrays(np.float32, SHAPES, elements=st.floats(-(2.0**99), 2.0**99, width=32)),
    arrays.arrays(np.float64, SHAPES, elements=st.floats(-1e30, 1e30)),
    arrays.arrays(np.int16, SHAPES),  # of no kind that is compiled
)


@pytest.mark.parametrize("normalizer", NORMALIZERS, ids=lambda normalizer: normalizer.type)
@given(x=ROWS, dtype=st.sampled_from([np.float32, np.float64]))
def test_inputs_are_those_of_the_formulas_bit_for_bit(normalizer: AnyNormalizer, x: np.ndarray, dtype: type) -> None:
    table = Table({"x": x})
    preprocessor = Preprocessor.learn(table, normalizer, TargetColumn("label", "values", (), 1))
    made = preprocessor.features(table, dtype)
    numbers = x.reshape(len(x), -1).astype(np.float64)
    with np.errstate(over="ignore"):
        formula = normalizer.apply(numbers.copy(), normalizer.fit([numbers])).astype(dtype)
    assert made.dtype == dtype
    assert made.tobytes() == formula.tobytes()
    rows = np.arange(len(x))[::-1].repeat(2)
    some = np.empty((len(rows), formula.shape[1]), dtype)
    preprocessor.gathered(table, rows, dtype, some)
    assert some.tobytes() == formula[rows].tobytes()


def test_what_is_not_finite_stays_so_and_what_is_too_large_becomes_infinite() -> None:
    x = np.array([[np.nan, np.inf, -np.inf, 1e300, -0.0]])
    out = np.empty((1, 5), np.float32)
    gather_scaled(x, np.zeros(1, np.intp), np.zeros(5), np.ones(5), out)
    np.testing.assert_array_equal(out, [[np.nan, np.inf, -np.inf, np.inf, -0.0]])
    assert np.signbit(out[0, 4])


def test_only_rows_that_lie_one_after_the_other_are_scaled_at_once() -> None:
    x = np.zeros((4, 3), np.uint8)
    assert can_scale(x, np.zeros((4, 3), np.float32))
    assert not can_scale(x[:, ::2], np.zeros((4, 2), np.float32))
    assert not can_scale(x, np.zeros((4, 3), np.float16))


def test_columns_of_some_shape_are_flattened_as_their_encoder_says() -> None:
    x = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    preprocessor = Preprocessor(
        (TensorEncoder(name="x", shape=(3, 4)),), NoNormalizer(), {}, TargetColumn("label", "values", (), 1)
    )
    np.testing.assert_array_equal(preprocessor.features(Table({"x": x})), np.arange(24.0).reshape(2, 12))


@pytest.mark.parametrize("divide_by", [255.0, 3.0, 1e-3, 7e20])
@given(
    x=st.one_of(
        arrays.arrays(np.uint8, (3, 4)),
        arrays.arrays(np.float32, (3, 4), elements=st.floats(allow_nan=False, allow_infinity=False, width=32)),
    )
)
def test_rows_to_predict_are_scaled_as_training_rows_are(divide_by: float, x: np.ndarray) -> None:
    preprocessor = Preprocessor(
        (TensorEncoder(name="x", shape=(4,)),),
        ScaleNormalizer(divide_by=divide_by),
        {},
        TargetColumn("label", "values", (), 1),
    )
    trained = preprocessor.features(Table({"x": x}), np.float32)
    if np.isfinite(trained).all():
        assert preprocessor.rows(x, np.float32)[0].tobytes() == trained.tobytes()
