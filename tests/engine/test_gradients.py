"""Backpropagation gives what automatic differentiation gives, for every layer, loss and penalty."""

import numpy as np
import pytest

from engine.activations import ELU, LeakyReLU, Tanh
from engine.gradient_check import check_gradients
from engine.layer import Layer, Mode
from engine.layers import AnyLayer, BatchNorm, Dense, Dropout
from engine.losses import AnyLoss
from engine.network import Network
from engine.random_streams import RandomStreams
from engine.regularization import Regularization
from tests.engine import autodiff
from tests.engine.families import each, members, name, type_of
from tests.engine.problems import PROBLEMS, SOFTMAX, Problem, backpropagated, hidden, random_parameters

VARIANTS = [
    Dense(units=4, bias=False),
    BatchNorm(epsilon=0.1),
    LeakyReLU(slope=0.3),
    ELU(alpha=1.7),
    Dropout(keep_prob=0.5),
]
LAYERS: list[Layer] = [*each(AnyLayer), *VARIANTS]
PENALTIES = [Regularization(l2=0.7), Regularization(l1=0.3), Regularization(l1=0.2, l2=1.1)]


def assert_same_as_autograd(network: Network, problem: Problem, mode: Mode = Mode.CHECK) -> None:
    parameters, examples = random_parameters(network), problem.examples(network)
    cost, gradient, workspace = backpropagated(network, parameters, examples, mode, RandomStreams(3))
    masks = {
        index: workspace.layers[index].D.copy()
        for index, layer in enumerate(network.layers)
        if isinstance(layer, Dropout) and mode is Mode.TRAIN
    }
    theta = autodiff.as_theta(parameters.layers, network)
    expected_cost, expected = autodiff.cost_and_gradient(network, theta, examples, masks)
    assert cost == pytest.approx(expected_cost, rel=1e-12)
    for place in network.layout.places:
        np.testing.assert_allclose(
            getattr(gradient.layers[place.layer], place.letter),
            expected[place.layer][place.letter],
            rtol=1e-10,
            atol=1e-13,
            err_msg=place.name,
        )


def test_every_layer_and_every_loss_has_an_independent_twin() -> None:
    assert {type_of(member) for member in members(AnyLayer)} == set(autodiff.LAYERS)
    assert {type_of(member) for member in members(AnyLoss)} == set(autodiff.LOSSES) | {"auto"}
    assert {type_of(problem.loss) for problem in PROBLEMS} == set(autodiff.LOSSES)


@pytest.mark.parametrize("layer", LAYERS, ids=name)
def test_every_layer_has_the_gradient_of_autograd(layer: Layer) -> None:
    assert_same_as_autograd(SOFTMAX.network(*hidden(layer)), SOFTMAX)


def test_dropout_has_the_gradient_of_autograd_under_its_mask() -> None:
    network = SOFTMAX.network(Dropout(keep_prob=0.8), Dense(units=6), Tanh(), Dropout(keep_prob=0.5))
    assert_same_as_autograd(network, SOFTMAX, Mode.TRAIN)


def test_layers_in_any_order_have_the_gradient_of_autograd() -> None:
    """Batch norm on the input, after the activation, twice; dropout first; two activations in a row."""
    network = SOFTMAX.network(
        BatchNorm(), Dense(units=4), Tanh(), BatchNorm(), BatchNorm(), Dropout(), Dense(units=3), ELU(), Tanh()
    )
    assert_same_as_autograd(network, SOFTMAX)


@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_every_loss_has_the_gradient_of_autograd(problem: Problem) -> None:
    assert_same_as_autograd(problem.network(Dense(units=4), Tanh()), problem)


@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
def test_every_penalty_has_the_gradient_of_autograd(penalty: Regularization) -> None:
    assert_same_as_autograd(SOFTMAX.network(Dense(units=4), BatchNorm(), Tanh(), regularization=penalty), SOFTMAX)


@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
@pytest.mark.parametrize("layer", LAYERS, ids=name)
def test_every_layer_passes_the_gradient_check_with_every_loss(layer: Layer, problem: Problem) -> None:
    network = problem.network(*hidden(layer), regularization=Regularization(l2=0.1, l1=0.05))
    report = check_gradients(network, random_parameters(network), problem.examples(network, m=16))
    assert report.difference <= 1e-7, report.worst
    assert report.verdict == "great"


@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_every_loss_passes_the_gradient_check_without_hidden_layers(problem: Problem) -> None:
    network = problem.network()
    report = check_gradients(network, random_parameters(network), problem.examples(network, m=16))
    assert report.difference <= 1e-7, report.worst


def test_a_layer_that_nothing_learns_below_does_not_spoil_the_gradient() -> None:
    """The input's gradient is not needed, and its product is saved; the parameters' must be there all the same."""
    assert_same_as_autograd(SOFTMAX.network(Dropout(), Tanh(), Dense(units=3), Tanh()), SOFTMAX)
