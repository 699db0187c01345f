"""Batch norm: each unit standardized over the batch, and remembered by exponentially weighted averages."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.activations import Tanh
from engine.layer import Mode, Pass
from engine.layers import BatchNorm, Dense
from tests.engine.problems import SQUARES, passed_through, random_parameters

Z = np.random.default_rng(0).normal(3, 2, (32, 4))
TINY = BatchNorm(epsilon=1e-12)


def test_the_output_has_mean_0_and_the_biased_variance_1() -> None:
    Y = passed_through(TINY, Z, Mode.TRAIN)
    np.testing.assert_allclose(Y.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(Y.var(axis=0, ddof=0), 1, rtol=1e-9)


@given(st.floats(1e-2, 1e4), st.floats(-100, 100))
def test_the_output_does_not_depend_on_the_scale_or_the_mean_of_the_input(scale: float, offset: float) -> None:
    moved = passed_through(TINY, Z * scale + offset, Mode.TRAIN)
    np.testing.assert_allclose(moved, passed_through(TINY, Z, Mode.TRAIN), atol=1e-6)


def test_scaling_the_weights_below_does_not_change_the_network() -> None:
    network = SQUARES.network(Dense(units=4), TINY, Tanh())
    parameters = random_parameters(network)
    X = np.random.default_rng(1).standard_normal((16, network.n_in))
    workspace, run = network.workspace(16, np.float64), Pass(Mode.CHECK)
    before = network.forward(X, parameters, workspace, run).copy()
    parameters.named()["W1"][...] *= 1000
    np.testing.assert_allclose(network.forward(X, parameters, workspace, run), before, atol=1e-8)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.999])
def test_running_averages_are_bias_corrected_exponentially_weighted_averages(momentum: float) -> None:
    layer = BatchNorm(momentum=momentum)
    network = SQUARES.network(layer)
    parameters = network.parameters(np.float64)
    workspace = network.workspace(8, np.float64)
    p, c = parameters.layers[0], workspace.layers[0]
    generator = np.random.default_rng(2)
    V_mean = V_variance = np.zeros(network.n_in)  # the textbook's V, corrected only when it is read
    for t in range(1, 30):
        batch = generator.normal(t, 1 + t / 10, (8, network.n_in))
        layer.forward(batch, p, c, Pass(Mode.TRAIN))
        V_mean = momentum * V_mean + (1 - momentum) * batch.mean(axis=0)
        V_variance = momentum * V_variance + (1 - momentum) * batch.var(axis=0, ddof=0)
        np.testing.assert_allclose(p.mean, V_mean / (1 - momentum**t), rtol=1e-10)
        np.testing.assert_allclose(p.variance, V_variance / (1 - momentum**t), rtol=1e-10)


def test_prediction_uses_the_running_averages_and_one_row_at_a_time_gives_the_same() -> None:
    layer = BatchNorm()
    network = SQUARES.network(layer)
    parameters = network.parameters(np.float64)
    p = parameters.layers[0]
    p.mean[:], p.variance[:], p.gamma[:], p.beta[:] = 2.0, 9.0, 0.5, 1.0
    X = np.random.default_rng(3).normal(2, 3, (6, network.n_in))
    workspace = network.workspace(6, np.float64)
    Y = layer.forward(X, p, workspace.layers[0], Pass(Mode.PREDICT))
    np.testing.assert_allclose(Y, 0.5 * (X - 2) / np.sqrt(9 + 1e-5) + 1, rtol=1e-12)
    alone = layer.forward(X[:1], p, network.workspace(1, np.float64).layers[0], Pass(Mode.PREDICT))
    np.testing.assert_array_equal(alone[0], Y[0])


@pytest.mark.parametrize("mode", [Mode.CHECK, Mode.PREDICT])
def test_only_training_moves_the_running_averages(mode: Mode) -> None:
    network = SQUARES.network(BatchNorm())
    parameters = network.parameters(np.float64)
    before = parameters.averages.copy()
    network.forward(np.ones((4, network.n_in)), parameters, network.workspace(4, np.float64), Pass(mode))
    np.testing.assert_array_equal(parameters.averages, before)


def test_the_bias_below_is_dropped_and_parameters_are_named_by_dense_layer() -> None:
    network = SQUARES.network(Dense(units=4), BatchNorm(), Tanh(), Dense(units=3), Tanh(), BatchNorm())
    assert list(network.parameters().named()) == [
        "W1", "W2", "W3", "gamma1", "beta1", "b2", "gamma2", "beta2", "b3",
        "mean1", "variance1", "batches1", "mean2", "variance2", "batches2",
    ]  # fmt: skip
