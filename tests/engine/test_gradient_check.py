"""The gradient check: it finds what is wrong, says where, and does not cry wolf."""

import numpy as np
import pytest

from engine.activations import LeakyReLU, ReLU, Tanh
from engine.gradient_check import FiniteDifferences, GradientReport, Sided, check_gradients, compare, verdict
from engine.layer import Layer, Mode, Pass
from engine.layers import Dense, Dropout
from engine.network import Network
from engine.parameters import Parameters
from engine.regularization import Regularization
from tests.engine.problems import PROBLEMS, SOFTMAX, SQUARES, Problem, random_parameters


def report_with(network: Network, problem: Problem, bugs: dict[str, float]) -> GradientReport:
    """The report on a gradient in which the named tensors are multiplied by a factor."""
    parameters, examples = random_parameters(network), problem.examples(network)
    workspace, gradient = network.workspace(len(examples), np.float64), network.gradient(np.float64)
    X = examples.load(slice(None), workspace)
    cost = network.cost(X, workspace.Y, parameters, workspace, Pass(Mode.CHECK))
    network.backward(workspace.Y, parameters, gradient, workspace)
    named = network.layout.named(gradient.vector)
    for name, factor in bugs.items():
        named[name] *= factor
    return compare(
        gradient.vector,
        FiniteDifferences(network, parameters, X, workspace),
        at="start",
        epsilon=1e-7,
        sided="two",
        sample=1000,
        seed=0,
        cost=cost,
    )


@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_a_planted_bug_is_found_and_its_tensors_are_the_worst(problem: Problem) -> None:
    network = problem.network(Dense(units=4), Tanh(), Dense(units=3), Tanh())
    report = report_with(network, problem, {"W2": 2.0, "b1": 4.0})
    assert report.verdict == "wrong"
    verdicts = {tensor.name: tensor.verdict for tensor in report.tensors}
    assert {name for name, word in verdicts.items() if word == "wrong"} == {"W2", "b1"}
    differences = {tensor.name: tensor.difference for tensor in report.tensors}
    assert differences["W2"] == pytest.approx(1 / 3, rel=1e-4)  # ‖g − 2g‖/(‖g‖ + ‖2g‖)
    assert differences["b1"] == pytest.approx(3 / 5, rel=1e-4)
    assert {component.tensor for component in report.worst} <= {"W2", "b1"}
    assert report_with(network, problem, {}).verdict == "great"


def test_the_worst_component_is_named_with_both_its_values() -> None:
    network = SQUARES.network(Dense(units=4), Tanh())
    worst = next(t for t in report_with(network, SQUARES, {"W1": -1.0}).tensors if t.name == "W1").worst
    assert len(worst.index) == 2
    assert worst.analytic == pytest.approx(-worst.numeric, rel=1e-5)


@pytest.mark.parametrize(
    ("difference", "word"),
    [(0, "great"), (1e-7, "great"), (1.1e-7, "okay"), (1e-5, "okay"), (1.1e-5, "suspect"), (1e-3, "suspect"),
     (1.1e-3, "wrong"), (1, "wrong")],
)  # fmt: skip
def test_the_verdict_follows_the_course(difference: float, word: str) -> None:
    assert verdict(difference) == word


@pytest.mark.parametrize(("sided", "order"), [("one", 1), ("two", 2)])
def test_the_error_of_a_finite_difference_falls_with_the_order_of_its_sides(sided: Sided, order: int) -> None:
    """Ten times smaller ε: a tenth of the error on one side, a hundredth on two."""
    network = SOFTMAX.network(Dense(units=4), Tanh())
    parameters, examples = random_parameters(network), SOFTMAX.examples(network)
    coarse, fine = (
        check_gradients(network, parameters, examples, epsilon=epsilon, sided=sided).difference
        for epsilon in (1e-2, 1e-3)
    )
    assert coarse / fine == pytest.approx(10**order, rel=0.05)


@pytest.mark.parametrize("layer", [ReLU(), LeakyReLU()], ids=["relu", "leaky_relu"])
def test_a_kink_is_reported_and_not_hidden(layer: Layer) -> None:
    """A unit exactly at 0, between a slope of 1 and another one: no finite difference can be right there."""
    network = SQUARES.network(Dense(units=4), layer)
    parameters = random_parameters(network)
    parameters.named()["W1"][:, 2] = 0
    parameters.named()["b1"][2] = 0
    report = check_gradients(network, parameters, SQUARES.examples(network))
    assert report.kinks == 1 + network.n_in
    assert {t.name: t.kinks for t in report.tensors} == {"W1": network.n_in, "b1": 1, "W2": 0, "b2": 0}
    assert report.verdict == "wrong" and report.worst[0].kink
    assert report.difference_without_kinks <= 1e-7


def test_a_weight_at_the_kink_of_its_l1_penalty_is_reported() -> None:
    network = SQUARES.network(regularization=Regularization(l1=1.0))
    parameters = random_parameters(network)
    parameters.named()["W1"][1, 1] = 1e-9
    report = check_gradients(network, parameters, SQUARES.examples(network))
    assert [(c.tensor, c.index) for c in report.worst if c.kink] == [("W1", (1, 1))]
    assert report.difference_without_kinks <= 1e-7


def test_a_smooth_network_has_no_kinks() -> None:
    network = SQUARES.network(Dense(units=4), Tanh())
    assert check_gradients(network, random_parameters(network), SQUARES.examples(network)).kinks == 0


def test_a_big_network_is_sampled_with_every_tensor_represented() -> None:
    network = SOFTMAX.network(Dense(units=300), Tanh(), Dense(units=20), Tanh())
    report = check_gradients(network, random_parameters(network, scale=0.1), SOFTMAX.examples(network), sample=200)
    assert report.parameters == network.parameter_count > 7000
    assert 200 <= report.checked <= 240
    assert {tensor.name for tensor in report.tensors} == {"W1", "b1", "W2", "b2", "W3", "b3"}
    assert all(tensor.checked >= min(5, tensor.size) for tensor in report.tensors)
    assert report.difference <= 1e-6


def test_the_sample_follows_the_seed() -> None:
    network = SOFTMAX.network(Dense(units=300), Tanh())
    parameters, examples = random_parameters(network), SOFTMAX.examples(network, m=100)

    def worst(seed: int) -> object:
        return check_gradients(network, parameters, examples, sample=30, seed=seed).worst

    assert worst(1) == worst(1) != worst(2)


def test_a_small_network_is_checked_whole() -> None:
    network = SOFTMAX.network(Dense(units=4), Tanh())
    report = check_gradients(network, random_parameters(network), SOFTMAX.examples(network))
    assert report.checked == report.parameters == network.parameter_count


def test_a_float32_job_is_checked_in_float64() -> None:
    network = SOFTMAX.network(Dense(units=4), Tanh(), Dropout(keep_prob=0.5))
    parameters = random_parameters(network).astype(np.float32)
    report = check_gradients(network, parameters, SOFTMAX.examples(network, dtype=np.float32))
    assert report.difference <= 1e-7
    assert "float64" in report.conditions and "dropout off" in report.conditions


def test_the_check_leaves_the_parameters_alone() -> None:
    network = SOFTMAX.network(Dense(units=4), Tanh())
    parameters = random_parameters(network)
    before = parameters.sha256()
    check_gradients(network, parameters, SOFTMAX.examples(network))
    assert parameters.sha256() == before


def zeros_on_balanced_classes() -> tuple[Network, Parameters]:
    """Zero weights on as many examples of each class: the gradient of every tensor but the last bias is 0."""
    network = SOFTMAX.network(Dense(units=4), Tanh())
    return network, network.parameters(np.float64)


def test_a_gradient_that_rounding_hides_is_told_from_a_wrong_one() -> None:
    network, parameters = zeros_on_balanced_classes()
    examples = SOFTMAX.examples(network, m=9)
    report = check_gradients(network, parameters, examples)
    assert report.verdict == "great"
    assert all(tensor.within_round_off for tensor in report.tensors)


def test_rounding_does_not_excuse_a_bug() -> None:
    network = SOFTMAX.network(Dense(units=4), Tanh())
    report = report_with(network, SOFTMAX, {"W1": 1.001})
    assert not next(tensor for tensor in report.tensors if tensor.name == "W1").within_round_off
    assert report.verdict != "great"
