"""Initial weights have the scale and the shape of the distribution they are named after."""

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from engine.activations import Activation, ReLU, Tanh
from engine.errors import ShapeMismatch
from engine.initializers import (
    AnyInitializer,
    AutoInitializer,
    Given,
    Glorot,
    He,
    Initializer,
    Normal,
    Xavier,
    Zeros,
)
from engine.layer import Layer
from engine.layers import AnyLayer, BatchNorm, Dense, Dropout
from tests.engine.families import each, members, name, plain, type_fields, type_of
from tests.engine.problems import SOFTMAX, backpropagated

N_IN, N_OUT = 300, 200
DEVIATIONS: list[tuple[Initializer, float]] = [
    (Normal(std=0.05), 0.05),
    (He(), sqrt(2 / N_IN)),
    (Xavier(), sqrt(1 / N_IN)),
    (Glorot(), sqrt(2 / (N_IN + N_OUT))),
]
RECTIFIED = {"relu", "leaky_relu", "elu", "gelu", "silu"}


def drawn(initializer: Initializer, activation: str = "linear", seed: int = 0) -> np.ndarray:
    return initializer.draw(N_IN, N_OUT, activation, np.random.default_rng(seed))


@pytest.mark.parametrize(("initializer", "deviation"), DEVIATIONS, ids=str)
def test_normal_weights_pass_for_normal_ones(initializer: Initializer, deviation: float) -> None:
    W = drawn(initializer).ravel()
    assert W.std() == pytest.approx(deviation, rel=0.02)
    assert stats.kstest(W, stats.norm(0, deviation).cdf).pvalue > 1e-3


@pytest.mark.parametrize(("initializer", "deviation"), DEVIATIONS, ids=str)
def test_uniform_weights_pass_for_uniform_ones_of_the_same_deviation(
    initializer: Initializer, deviation: float
) -> None:
    W = drawn(initializer.model_copy(update={"distribution": "uniform"})).ravel()
    edge = deviation * sqrt(3)
    assert np.abs(W).max() <= edge
    assert W.std() == pytest.approx(deviation, rel=0.02)
    assert stats.kstest(W, stats.uniform(-edge, 2 * edge).cdf).pvalue > 1e-3


def test_uniform_glorot_is_the_published_one() -> None:
    """U[−√6/√(n_in + n_out), √6/√(n_in + n_out)], equation 16 of Glorot and Bengio 2010."""
    W = drawn(Glorot(distribution="uniform"))
    assert np.abs(W).max() == pytest.approx(sqrt(6) / sqrt(N_IN + N_OUT), rel=1e-3)


@pytest.mark.parametrize("activation", [type_of(m) for m in members(AnyLayer) if issubclass(m, Activation)])
def test_auto_takes_he_before_rectifiers_and_xavier_elsewhere(activation: str) -> None:
    expected = He() if activation in RECTIFIED else Xavier()
    np.testing.assert_array_equal(drawn(AutoInitializer(), activation), drawn(expected))


@pytest.mark.parametrize(
    ("layers", "activation"),
    [
        ((Dense(units=8), ReLU()), "relu"),
        ((Dense(units=8), BatchNorm(), Dropout(), ReLU()), "relu"),
        ((Dense(units=8), Tanh(), ReLU()), "tanh"),
        ((Dense(units=8), Dense(units=8), ReLU()), "dense"),
    ],
    ids=str,
)
def test_auto_looks_through_batch_norm_and_dropout_for_the_activation(
    layers: tuple[Layer, ...], activation: str
) -> None:
    network = SOFTMAX.network(*layers)
    W = network.initialized(AutoInitializer(), np.random.default_rng(0), np.float64).named()["W1"]
    expected = AutoInitializer().draw(network.n_in, 8, activation, np.random.default_rng(0))
    np.testing.assert_array_equal(W, expected)


def test_the_output_layer_begins_with_xavier() -> None:
    network = SOFTMAX.network()
    W = network.initialized(AutoInitializer(), np.random.default_rng(0), np.float64).named()["W1"]
    np.testing.assert_array_equal(W, Xavier().draw(*W.shape, "linear", np.random.default_rng(0)))


@pytest.mark.parametrize("initializer", each(AnyInitializer), ids=name)
def test_biases_and_shifts_begin_at_0_and_scales_at_1(initializer: Initializer) -> None:
    network = SOFTMAX.network(Dense(units=4), BatchNorm(), Tanh(), Dense(units=3), Tanh())
    named = network.initialized(initializer, np.random.default_rng(0), np.float32).named()
    assert not named["b2"].any() and not named["b3"].any() and not named["beta1"].any()
    assert (named["gamma1"] == 1).all() and (named["variance1"] == 1).all()


@pytest.mark.parametrize("initializer", each(AnyInitializer), ids=name)
def test_every_precision_begins_with_the_same_weights(initializer: Initializer) -> None:
    network = SOFTMAX.network(Dense(units=4), Tanh())
    half, whole = (network.initialized(initializer, np.random.default_rng(5), dtype).theta for dtype in ("f4", "f8"))
    np.testing.assert_array_equal(half, whole.astype(np.float32))


def test_every_random_initializer_comes_in_both_distributions() -> None:
    random = [m for m in members(AnyInitializer) if m not in (Zeros, Given)]
    assert all("distribution" in type_fields(plain(member)) for member in random)


def test_from_zero_weights_every_unit_of_a_layer_learns_the_same() -> None:
    """The symmetry is never broken: gradients of a layer's units are equal, and W2's stay 0 with them."""
    network = SOFTMAX.network(Dense(units=4), Tanh())
    parameters = network.initialized(Zeros(), np.random.default_rng(0), np.float64)
    examples = SOFTMAX.examples(network)
    for _ in range(20):
        _, gradient, _ = backpropagated(network, parameters, examples)
        parameters.theta -= 0.5 * gradient.vector
    W1 = parameters.named()["W1"]
    np.testing.assert_array_equal(W1, np.repeat(W1[:, :1], 4, axis=1))


class TestGivenParameters:
    """Uploaded parameters replace every tensor, or are refused by name."""

    network = SOFTMAX.network(Dense(units=4), BatchNorm(), Tanh())

    def given(self, **changes: np.ndarray | None) -> dict[str, np.ndarray]:
        arrays = {place.name: np.full(place.shape, 2.5) for place in self.network.layout.places} | changes
        return {name: array for name, array in arrays.items() if array is not None}

    def test_are_taken_as_they_are(self) -> None:
        parameters = self.network.parameters(np.float64)
        parameters.load(self.given(gamma1=np.arange(4.0)))
        assert (parameters.named()["W1"] == 2.5).all()
        np.testing.assert_array_equal(parameters.named()["gamma1"], np.arange(4.0))
        assert (parameters.named()["variance1"] == 1).all()

    def test_may_have_biases_as_columns_or_rows(self) -> None:
        parameters = self.network.parameters(np.float64)
        parameters.load(self.given(b2=np.array([[1.0], [2.0], [3.0]]), beta1=np.ones((1, 4))))
        np.testing.assert_array_equal(parameters.named()["b2"], [1, 2, 3])

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"W2": None}, "lack W2"),
            ({"W9": np.ones(3)}, "hold W9"),
            ({"W1": np.ones((4, 5))}, r"W1 has shape \(4, 5\), this network needs \(5, 4\)"),
            ({"b2": np.ones(4)}, r"b2 has shape \(4,\), this network needs \(3,\)"),
            ({"W1": np.ones(20)}, "W1 has shape"),
        ],
    )
    def test_are_refused_by_name(self, changes: dict[str, np.ndarray | None], says: str) -> None:
        with pytest.raises(ShapeMismatch, match=says):
            self.network.parameters(np.float64).load(self.given(**changes))
