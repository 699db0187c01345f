"""Small networks on random examples: every loss with every kind of target that it can have."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from engine.errors import SpecError
from engine.examples import Examples, class_weights
from engine.inputs import Matrix
from engine.layer import Layer, Mode, Pass
from engine.layers import Dense
from engine.losses import AnyLoss, Loss
from engine.network import Network, Target, Workspace, resolved_loss
from engine.parameters import Array, Gradient, Parameters
from engine.random_streams import RandomStreams
from engine.regularization import Regularization
from tests.engine.families import each, name, type_fields

TARGETS = (
    Target("classes", 2, ("0", "1")),
    Target("classes", 3, ("0", "1", "2")),
    Target("multilabel", 3, ("a", "b", "c")),
    Target("values", 1),
    Target("values", 2),
)
INPUTS = 5


@dataclass(frozen=True)
class Problem:
    """A loss and the target it is to be used for."""

    loss: Loss
    target: Target

    def __str__(self) -> str:
        return f"{name(self.loss)}, {self.target.outputs} {self.target.kind}"

    def network(self, *layers: Layer, regularization: Regularization | None = None) -> Network:
        return Network(layers, self.loss, regularization or Regularization(), INPUTS, self.target)

    def examples(self, network: Network, m: int = 7, seed: int = 1, dtype: DTypeLike = np.float64) -> Examples:
        """m random examples; with classes, every class occurs."""
        generator = np.random.default_rng(seed)
        x = generator.standard_normal((m, INPUTS))
        kind, outputs = self.target.kind, self.target.outputs
        if kind == "classes":
            y = generator.permutation(np.arange(m) % outputs)
        elif kind == "multilabel":
            y = generator.integers(0, 2, (m, outputs)).astype(np.float64)
        else:
            y = generator.standard_normal((m, outputs))
        return Examples(network, Matrix(x, dtype), y, class_weights(self.loss, self.target, y), dtype)


def problems() -> list[Problem]:
    """Every loss of the family, plain, smoothed and with class weights, with every target that it fits."""
    found: list[Problem] = []
    for plain in each(AnyLoss):
        for target in TARGETS:
            variants: list[dict[str, object]] = [{}]
            if "label_smoothing" in type_fields(plain) and target.kind == "classes":
                variants.append({"label_smoothing": 0.2})
            if "class_weights" in type_fields(plain) and target.kind == "classes":
                variants += [{"class_weights": {"0": 0.5, "1": 3.0}}, {"class_weights": "balanced"}]
            for fields in variants:
                try:
                    problem = Problem(resolved_loss(plain.model_copy(update=fields), target), target)
                except SpecError:
                    continue
                if problem not in found:
                    found.append(problem)
    return found


PROBLEMS = problems()
SOFTMAX = next(problem for problem in PROBLEMS if str(problem) == "softmax_cross_entropy, 3 classes")
SQUARES = next(problem for problem in PROBLEMS if str(problem) == "mean_squared_error, 2 values")


def random_parameters(network: Network, seed: int = 0, scale: float = 0.5) -> Parameters:
    """Every parameter away from 0, biases, γ and β too."""
    parameters = network.parameters(np.float64)
    parameters.theta += scale * np.random.default_rng(seed).standard_normal(parameters.theta.size)
    return parameters


def backpropagated(
    network: Network,
    parameters: Parameters,
    examples: Examples,
    mode: Mode = Mode.CHECK,
    streams: RandomStreams | None = None,
) -> tuple[float, Gradient, Workspace]:
    """The engine's cost and gradient on all the examples."""
    dtype = parameters.theta.dtype
    workspace, gradient = network.workspace(len(examples), dtype), network.gradient(dtype)
    X = examples.load(slice(None), workspace)
    cost = network.cost(X, workspace.Y, parameters, workspace, Pass(mode, streams, 1))
    network.backward(workspace.Y, parameters, gradient, workspace)
    return cost, gradient, workspace


def passed_through(
    layer: Layer, A_prev: Array, mode: Mode = Mode.PREDICT, streams: RandomStreams | None = None, step: int = 1
) -> Array:
    """What one layer makes of its input, alone; a dense layer needs parameters, so it is not for this."""
    network = Network((layer,), SQUARES.loss, Regularization(), A_prev.shape[1], SQUARES.target)
    workspace = network.workspace(len(A_prev), A_prev.dtype)
    parameters = network.parameters(A_prev.dtype)
    return layer.forward(A_prev, parameters.layers[0], workspace.layers[0], Pass(mode, streams, step)).copy()


def hidden(layer: Layer) -> tuple[Layer, ...]:
    """The layer between dense layers, twice, so that its gradient is passed on as well."""
    return (Dense(units=4), layer, Dense(units=3), layer)
