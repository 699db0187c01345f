"""Statistics agree with NumPy's over all rows at once, however the rows are cut into blocks."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from engine.data import MinMaxNormalizer, NoNormalizer, ScaleNormalizer, StandardNormalizer
from engine.data.encoding.normalizers import AnyNormalizer

MATRICES = arrays.arrays(
    np.float64,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.floats(-1e6, 1e6, width=32),
)


@given(MATRICES, st.integers(1, 5))
def test_standard_learns_the_mean_and_the_biased_deviation(x, step):
    learned = StandardNormalizer().fit(x[i : i + step] for i in range(0, len(x), step))
    np.testing.assert_allclose(learned["mean"], x.mean(axis=0), rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(learned["std"], x.std(axis=0), rtol=1e-9, atol=1e-9)


@given(MATRICES, st.integers(1, 5))
def test_minmax_brings_training_rows_to_0_to_1(x, step):
    minmax = MinMaxNormalizer()
    learned = minmax.fit(x[i : i + step] for i in range(0, len(x), step))
    scaled = minmax.apply(x.copy(), learned)
    varying = x.max(axis=0) > x.min(axis=0)
    assert (scaled.min(axis=0) == 0).all()
    np.testing.assert_allclose(scaled.max(axis=0), np.where(varying, 1, 0), rtol=1e-12)


def test_scale_divides_and_none_leaves_alone():
    x = np.array([[0.0, 51.0, 255.0]])
    np.testing.assert_array_equal(ScaleNormalizer().apply(x.copy(), {}), [[0, 0.2, 1]])
    np.testing.assert_array_equal(NoNormalizer().apply(x.copy(), {}), x)


@pytest.mark.parametrize("normalizer", [StandardNormalizer(), MinMaxNormalizer()])
def test_a_constant_column_becomes_0_and_stays_0_for_new_rows(normalizer):
    x = np.full((11, 1), 0.1)  # whose mean, summed in float64, is not 0.1
    learned = normalizer.fit([x[:4], x[4:]])
    np.testing.assert_array_equal(normalizer.apply(np.array([[0.1], [7.0]]), learned), [[0], [0]])


@pytest.mark.parametrize("kind", get_args(AnyNormalizer))
def test_every_normalizer_overwrites_its_input_and_returns_it(kind):
    x = np.array([[1.0, 2.0], [3.0, 5.0]])
    learned = kind().fit([x])
    assert kind().apply(x, learned) is x
    assert np.isfinite(x).all()
