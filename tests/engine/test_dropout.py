"""Inverted dropout: off with chance 1 − keep_prob in training, scaled so that the mean stays, gone afterwards."""

import numpy as np
import pytest
from scipy.stats import binomtest

from engine.layer import Mode, Pass
from engine.layers import Dense, Dropout
from engine.random_streams import RandomStreams
from tests.engine.problems import SQUARES, passed_through

A = np.ones((400, 250))


@pytest.mark.parametrize("keep_prob", [0.1, 0.5, 0.8, 0.99])
def test_keeps_its_share_of_units_and_the_mean(keep_prob: float) -> None:
    out = passed_through(Dropout(keep_prob=keep_prob), A, Mode.TRAIN, RandomStreams(1))
    kept = int(np.count_nonzero(out))
    assert binomtest(kept, A.size, keep_prob).pvalue > 1e-3
    np.testing.assert_allclose(out[out != 0], 1 / keep_prob)
    assert out.mean() == pytest.approx(1, abs=4 * np.sqrt((1 - keep_prob) / keep_prob / A.size))


def test_every_unit_and_every_example_is_dropped_alike() -> None:
    kept = passed_through(Dropout(keep_prob=0.5), A, Mode.TRAIN, RandomStreams(2)) > 0
    for axis, n in ((0, 400), (1, 250)):
        z = (kept.sum(axis=axis) - n / 2) / np.sqrt(n / 4)
        assert z.std() == pytest.approx(1, abs=0.2)


def test_keeping_everything_changes_nothing() -> None:
    np.testing.assert_array_equal(passed_through(Dropout(keep_prob=1), A, Mode.TRAIN, RandomStreams(1)), A)


@pytest.mark.parametrize("mode", [Mode.CHECK, Mode.PREDICT])
def test_is_off_outside_training(mode: Mode) -> None:
    np.testing.assert_array_equal(passed_through(Dropout(keep_prob=0.1), A, mode, RandomStreams(1)), A)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_the_mask_follows_from_seed_layer_and_step_alone(precision: str) -> None:
    def mask(seed: int, layer: int, step: int, *earlier: int) -> np.ndarray:
        streams, out = RandomStreams(seed), np.empty((3, 5), precision)
        for other in earlier:  # what was drawn before must not matter
            streams.uniform(layer, other, out)
        streams.uniform(layer, step, out)
        return out.copy()

    reference = mask(7, 2, 40)
    np.testing.assert_array_equal(mask(7, 2, 40), reference)
    np.testing.assert_array_equal(mask(7, 2, 40, 1, 2, 39), reference)
    for other in (mask(8, 2, 40), mask(7, 3, 40), mask(7, 2, 41)):
        assert not np.any(other == reference)


def test_the_largest_seed_has_masks_too() -> None:
    out = np.empty(1000)
    RandomStreams(2**63 - 1).uniform(0, 1, out)
    assert 0.45 < out.mean() < 0.55


def test_each_layer_of_a_network_has_a_mask_of_its_own() -> None:
    network = SQUARES.network(Dropout(keep_prob=0.5), Dense(units=5), Dropout(keep_prob=0.5))
    workspace = network.workspace(50, np.float64)
    run = Pass(Mode.TRAIN, RandomStreams(0), 1)
    network.forward(np.ones((50, network.n_in)), network.parameters(), workspace, run)
    assert np.mean(workspace.layers[0].D == workspace.layers[2].D) == pytest.approx(0.5, abs=0.15)
