"""The course's own one-step cases, which lie units × examples."""

import json
from functools import cache

import numpy as np
import pytest
from scipy.special import expit, logit

from engine.activations import ReLU
from engine.gradient_check import FiniteDifferences, GradientReport, compare
from engine.initializers import He
from engine.layer import Layer, Mode, Pass
from engine.layers import Dense, Dropout
from engine.losses import SigmoidCrossEntropy
from engine.network import Network, Target, Workspace
from engine.optimizers import Adam, GradientDescent, Momentum, Optimizer
from engine.parameters import Array, Arrays, Gradient, Parameters
from engine.random_streams import RandomStreams
from engine.regularization import Regularization
from engine.schedules import InverseTime
from tests.acceptance.published import SHARED_DATA
from tests.engine.steps import Steps

pytestmark = pytest.mark.shared_data
PRINTED = 6e-9  # eight printed digits
YES_OR_NO = Target("classes", 2, ("0", "1"))
USED = {
    "gd_step", "momentum_step", "adam_step_t2", "adam_step_t2_eps1e-2", "l2_cost", "l2_gradients", "dropout_forward",
    "dropout_backward", "gradcheck_n", "softmax_ce_sigmoid_ce", "he_init", "lr_decay",
}  # fmt: skip


@cache
def vectors() -> dict[str, dict[str, dict[str, object]]]:
    content: dict[str, dict[str, dict[str, object]]] = json.loads(
        (SHARED_DATA / "vectors" / "course_vectors.json").read_text()
    )
    return content


def case(name: str) -> tuple[dict[str, Array], dict[str, Array]]:
    """Inputs and expected outputs, as arrays."""
    found = vectors()[name]
    inputs, expected = ({k: np.array(v, np.float64) for k, v in found[side].items()} for side in ("inputs", "expected"))
    return inputs, expected


def loaded(network: Network, inputs: dict[str, Array]) -> Parameters:
    """The case's W and b, transposed into rows."""
    parameters = network.parameters(np.float64)
    names = [place.name for place in network.layout.places]
    parameters.load({name: inputs[name].T if name.startswith("W") else inputs[name] for name in names})
    return parameters


def network_of(*layers: Layer, n_in: int, l2: float = 0.0) -> Network:
    return Network(layers, SigmoidCrossEntropy(), Regularization(l2=l2), n_in, YES_OR_NO)


def backpropagated(
    network: Network, parameters: Parameters, inputs: dict[str, Array]
) -> tuple[float, Gradient, Workspace]:
    X, Y = np.ascontiguousarray(inputs["X"].T), inputs["Y"].T
    workspace, gradient = network.workspace(len(X), np.float64), network.gradient(np.float64)
    workspace.Y[:] = Y
    cost = network.cost(X, workspace.Y, parameters, workspace, Pass(Mode.CHECK))
    network.backward(workspace.Y, parameters, gradient, workspace)
    return cost, gradient, workspace


def test_every_case_is_used() -> None:
    assert set(vectors()) == USED


@pytest.mark.parametrize(
    ("name", "optimizer", "alpha", "t", "within"),
    [
        ("gd_step", GradientDescent(), 0.01, 1, PRINTED),
        ("momentum_step", Momentum(), 0.01, 1, PRINTED),
        ("adam_step_t2", Adam(), 0.01, 2, 1e-6),  # printed with ε inside the root
        ("adam_step_t2_eps1e-2", Adam(beta1=0.8, beta2=0.888, epsilon=1e-2), 0.02, 2, PRINTED),
    ],
)
def test_one_step_of_an_optimizer(name: str, optimizer: Optimizer, alpha: float, t: int, within: float) -> None:
    inputs, expected = case(name)
    for tensor in ("W1", "b1", "W2", "b2"):
        steps = Steps(optimizer, inputs[tensor].ravel())
        theta = steps.step(inputs[f"d{tensor}"].ravel(), alpha, t)
        np.testing.assert_allclose(theta, expected[tensor].ravel(), rtol=0, atol=within)
        if f"v_d{tensor}" in expected:
            np.testing.assert_allclose(steps.slots.v, expected[f"v_d{tensor}"].ravel(), rtol=0, atol=PRINTED)


def test_the_cost_with_l2() -> None:
    inputs, expected = case("l2_cost")
    Z, Y = logit(inputs["A3"].T), inputs["Y"].T
    loss = SigmoidCrossEntropy()
    buffers = Arrays(**{letter: np.zeros(shape) for letter, shape in loss.buffers(5, 1).items()})
    W = np.concatenate([inputs[name].ravel() for name in ("W1", "W2", "W3")])
    cost = loss.forward(Z, Y, None, buffers) + Regularization(l2=0.1).cost(W, 5, np.zeros_like(W))
    assert cost == pytest.approx(float(expected["cost"]), rel=1e-12)


def test_the_gradients_with_l2() -> None:
    inputs, expected = case("l2_gradients")
    network = network_of(Dense(units=2), ReLU(), Dense(units=3), ReLU(), n_in=3, l2=0.7)
    _, gradient, _ = backpropagated(network, loaded(network, inputs), inputs)
    named = network.layout.named(gradient.vector)
    for tensor in ("W1", "W2", "W3"):
        np.testing.assert_allclose(named[tensor].T, expected[f"d{tensor}"], rtol=0, atol=PRINTED)


class Masks(RandomStreams):
    """Draws that make given masks: 0 where a unit stays, 1 where it goes."""

    def __init__(self, masks: dict[int, Array]) -> None:
        super().__init__(0)
        self.masks = masks

    def uniform(self, layer: int, step: int, out: Array) -> None:
        np.copyto(out, 1 - self.masks[layer])


def test_dropout_forward() -> None:
    inputs, expected = case("dropout_forward")
    off = Dropout(keep_prob=0.7)
    network = network_of(Dense(units=2), ReLU(), off, Dense(units=3), ReLU(), off, n_in=3)
    streams = Masks({2: inputs["mask1"].T, 5: inputs["mask2"].T})
    X = np.ascontiguousarray(inputs["X"].T)
    workspace = network.workspace(len(X), np.float64)
    Z = network.forward(X, loaded(network, inputs), workspace, Pass(Mode.TRAIN, streams, 1))
    np.testing.assert_allclose(expit(Z.T), expected["A3"], rtol=0, atol=PRINTED)


def test_dropout_backward() -> None:
    """From dZ3 = A3 − Y down, each layer given the activations that the course kept."""
    inputs, expected = case("dropout_backward")
    off = Dropout(keep_prob=0.8)
    network = network_of(Dense(units=2), ReLU(), off, Dense(units=3), ReLU(), off, n_in=3)
    parameters, workspace = loaded(network, inputs), network.workspace(5, np.float64)
    gradient, run = network.gradient(np.float64), Pass(Mode.CHECK)
    p, g, c = parameters.layers, gradient.layers, workspace.layers
    A1, A2 = np.ascontiguousarray(inputs["A1"].T), np.ascontiguousarray(inputs["A2"].T)
    for index, mask in ((2, "mask1"), (5, "mask2")):
        c[index].dropped = True
        c[index].D[:] = inputs[mask].T
    for index, A_prev in ((3, A1), (4, A2), (6, A2)):  # ReLU's A is positive where its Z was
        network.layers[index].forward(A_prev, p[index], c[index], run)

    def back(index: int, dA: Array) -> Array:
        return network.layers[index].backward(dA, p[index], g[index], c[index])

    dA2 = back(5, back(6, (inputs["A3"] - inputs["Y"]).T))
    np.testing.assert_allclose(dA2.T, expected["dA2"], rtol=0, atol=PRINTED)
    dA1 = back(2, back(3, back(4, dA2)))
    np.testing.assert_allclose(dA1.T, expected["dA1"], rtol=0, atol=PRINTED)


def checked(bugs: dict[str, float]) -> GradientReport:
    inputs, _ = case("gradcheck_n")
    network = network_of(Dense(units=5), ReLU(), Dense(units=3), ReLU(), n_in=4)
    parameters = loaded(network, inputs)
    cost, gradient, workspace = backpropagated(network, parameters, inputs)
    named = network.layout.named(gradient.vector)
    for tensor, factor in bugs.items():
        named[tensor] *= factor
    differences = FiniteDifferences(network, parameters, np.ascontiguousarray(inputs["X"].T), workspace)
    return compare(gradient.vector, differences, at="start", epsilon=1e-7, sided="two", sample=1000, seed=0, cost=cost)


def test_the_gradient_check_finds_the_planted_bug_and_names_its_tensors() -> None:
    _, expected = case("gradcheck_n")
    report = checked({"W2": 2.0, "b1": 4.0})
    assert report.difference == pytest.approx(float(expected["difference_with_bug"]), abs=1e-7)
    assert report.verdict == "wrong"
    worst = sorted(report.tensors, key=lambda tensor: tensor.difference, reverse=True)[:2]
    assert {tensor.name for tensor in worst} == {"W2", "b1"}


def test_the_gradient_check_is_content_without_the_bug() -> None:
    assert checked({}).difference < 2e-7


def test_the_sigmoid_cross_entropy_from_logits() -> None:
    """The course's own, whose logits had been through a sigmoid before."""
    found = vectors()["softmax_ce_sigmoid_ce"]
    inputs, expected = found["inputs"], found["expected"]
    Z = np.array(inputs["logits"])
    network = network_of(n_in=1)
    for z, y, cost in zip(Z, np.array(inputs["labels"]), np.array(expected["cost"]), strict=True):
        workspace = network.workspace(1, np.float64)
        ours = network.loss.forward(np.array([[z]]), np.array([[float(y)]]), None, workspace.loss)
        assert ours == pytest.approx(cost, abs=1e-6)  # printed in float32


def test_he_initialization_of_the_course_s_random_numbers() -> None:
    class Legacy(np.random.Generator):
        """NumPy's legacy normals, drawn units × inputs."""

        legacy = np.random.RandomState(3)

        def standard_normal(self, size: tuple[int, int]) -> Array:  # type: ignore[override]
            return self.legacy.randn(size[1], size[0]).T

    _, expected = case("he_init")
    legacy = Legacy(np.random.PCG64(0))
    np.testing.assert_allclose(He().draw(2, 4, "relu", legacy).T, expected["W1"], rtol=0, atol=PRINTED)
    np.testing.assert_allclose(He().draw(4, 1, "linear", legacy).T, expected["W2"], rtol=0, atol=PRINTED)


def test_learning_rate_decay() -> None:
    _, expected = case("lr_decay")
    assert InverseTime(decay=1)(0.5, 2, 10) == pytest.approx(float(expected["inverse_time_lr0_0p5_epoch2_decay1"]))
    stairs = InverseTime(decay=0.3, interval=100)
    assert stairs(0.5, 10, 1000) == float(expected["scheduled_lr0_0p5_decay0p3_interval100_epoch10"])
    assert stairs(0.5, 100, 1000) == pytest.approx(float(expected["scheduled_epoch100"]))
