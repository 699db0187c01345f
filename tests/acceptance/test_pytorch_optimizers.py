"""A thousand steps of seven optimizers end where PyTorch's C++ baseline does."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar, Literal

import numpy as np
import pytest

from engine.activations import Sigmoid, sigmoid
from engine.layer import Mode, Pass
from engine.layers import Dense
from engine.losses import Loss
from engine.network import Network, Target
from engine.optimizers import Adam, GradientDescent, Momentum, Optimizer, RMSprop
from engine.parameters import Array, Arrays
from engine.regularization import Regularization
from tests.acceptance.published import SHARED_DATA
from tests.engine.steps import Steps

pytestmark = pytest.mark.shared_data
ORDER = ("W1", "b1", "W2", "b2")


class SumOfSigmoids(Loss):
    """The baseline's: Σ σ(z), which has no targets."""

    task: ClassVar[Literal["classes", "values"]] = "values"

    def forward(self, Z: Array, Y: Array, w: Array | None, c: Arrays) -> float:
        sigmoid(Z, out=c.dZ)
        return float(c.dZ.sum())

    def backward(self, Z: Array, Y: Array, w: Array | None, c: Arrays) -> Array:
        c.dZ *= 1 - c.dZ
        return c.dZ

    def output(self, Z: Array) -> Array:
        return sigmoid(Z, out=Z)


def adam_with_epsilon_hat(t: int) -> Optimizer:
    """Theirs adds ε to √s before the bias correction, so that ε there is ε/√(1 − β₂ᵗ) here."""
    return Adam(epsilon=1e-8 / np.sqrt(1 - 0.999**t))


SETTINGS: dict[str, tuple[Callable[[int], Optimizer], float, float]] = {
    "SGD": (lambda t: GradientDescent(), 0.1, 0.0),
    "SGD_with_weight_decay": (lambda t: GradientDescent(), 0.1, 0.01),
    "SGD_with_weight_decay_and_momentum": (lambda t: Momentum(classic=True), 0.1, 0.01),
    "SGD_with_weight_decay_and_nesterov_momentum": (lambda t: Momentum(classic=True, nesterov=True), 0.1, 1e-6),
    "RMSprop_with_weight_decay": (lambda t: RMSprop(beta=0.99), 0.1, 0.01),
    "Adam": (adam_with_epsilon_hat, 1.0, 0.0),
    "Adam_with_weight_decay": (adam_with_epsilon_hat, 1.0, 0.01),
}
"""By their names: the optimizer of step t, the learning rate, and the decay that is added to every gradient."""


@cache
def baseline() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((SHARED_DATA / "vectors" / "pytorch_optim_baseline.json").read_text())
    return content


def by_name(sample: list[list[float]]) -> dict[str, Array]:
    W1, b1, W2, b2 = (np.array(values) for values in sample)
    return {"W1": W1.reshape(3, 2).T, "b1": b1, "W2": W2.reshape(1, 3).T, "b2": b2}


def test_every_setting_is_used() -> None:
    assert set(SETTINGS) == set(baseline()["samples"]) == set(baseline()["settings"])


@pytest.mark.parametrize("name", SETTINGS)
def test_a_thousand_steps(name: str) -> None:
    optimizer_at, alpha, decay = SETTINGS[name]
    samples = baseline()["samples"][name]
    X = np.array(baseline()["input"])
    network = Network((Dense(units=3), Sigmoid()), SumOfSigmoids(), Regularization(), 2, Target("values", 1))
    parameters, gradient = network.parameters(np.float64), network.gradient(np.float64)
    parameters.load(by_name(baseline()["initial_parameters_recovered"]["values"]))
    workspace, run = network.workspace(len(X), np.float64), Pass(Mode.TRAIN)
    steps = Steps(optimizer_at(1), parameters.theta)
    for t in range(1, 1002):
        network.cost(X, workspace.Y, parameters, workspace, run)
        network.backward(workspace.Y, parameters, gradient, workspace)
        steps.optimizer = optimizer_at(t)
        parameters.theta[:] = steps.step(gradient.vector + decay * parameters.theta, alpha)
        if (sample := samples.get(str((t - 1) // 100))) and t % 100 == 1:
            for tensor, expected in by_name(sample).items():
                np.testing.assert_allclose(parameters.named()[tensor], expected, rtol=1e-8, atol=1e-9)
