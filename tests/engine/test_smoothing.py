"""The smoothed curve is the course's bias-corrected average."""

import pytest

from engine.smoothing import smoothed


def test_it_is_the_weighted_mean_with_weights_beta_to_the_age() -> None:
    values, beta = [3.0, 1.0, 4.0, 1.0, 5.0], 0.9
    for t, found in enumerate(smoothed(values, beta), start=1):
        weights = [beta ** (t - 1 - i) for i in range(t)]
        expected = sum(w * v for w, v in zip(weights, values, strict=False)) / sum(weights)
        assert found == pytest.approx(expected, rel=1e-14)


def test_a_constant_stays_itself_from_the_first_value_on() -> None:
    assert list(smoothed([2.0] * 5)) == pytest.approx([2.0] * 5)


def test_a_missing_value_stays_missing_and_moves_nothing() -> None:
    assert list(smoothed([1.0, None, 3.0], 0.5)) == [1.0, None, *list(smoothed([1.0, 3.0], 0.5))[1:]]
