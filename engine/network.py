"""The network: layers in a row, a loss at the end, and where every parameter and buffer lives."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from engine.data.encoding.preprocessor import Preprocessor
from engine.data.encoding.target_column import class_text
from engine.errors import SpecError
from engine.initializers import Initializer
from engine.layer import Cache, Layer, Mode, Pass
from engine.layers import BatchNorm, Dense, Dropout
from engine.losses import AutoLoss, Loss, MeanSquaredError, SigmoidCrossEntropy, SoftmaxCrossEntropy
from engine.parameters import Array, Arrays, Gradient, Layout, Parameters, Shape
from engine.regularization import Regularization
from engine.spec import JobSpec


class Target(NamedTuple):
    """What the network has to answer."""

    kind: str  # classes, multilabel or values
    outputs: int  # number of classes, labels or values
    labels: tuple[str, ...] = ()  # of the classes, in the order of their indices, or of the yes/no labels

    @classmethod
    def of(cls, preprocessor: Preprocessor) -> "Target":
        column = preprocessor.target
        labels = tuple(map(class_text, column.classes))
        if column.kind == "multilabel":
            labels = tuple(f"{column.name}_{index}" for index in range(column.width))
        return cls(column.kind, preprocessor.n_out, labels)


class Workspace:
    """The buffers of one batch shape, made once; one workspace serves one thread at a time."""

    def __init__(self, network: "Network", m: int, dtype: DTypeLike) -> None:
        self.m = m
        self.X: Array = np.zeros((m, network.n_in), dtype)
        self.Y: Array = np.zeros((m, network.n_out), dtype)
        self.w: Array | None = np.ones((m, 1), dtype) if network.weighted else None
        self.labels: NDArray[np.intp] = np.zeros(m, np.intp)
        self.predicted: NDArray[np.intp] = np.zeros(m, np.intp)
        self.correct: NDArray[np.bool_] = np.zeros(m, bool)
        self.layers: list[Cache] = []
        for index, (layer, n_in) in enumerate(zip(network.layers, network.widths, strict=False)):
            buffers = {letter: np.zeros(shape, dtype) for letter, shape in layer.buffers(m, n_in).items()}
            flags = {letter: np.zeros(shape, bool) for letter, shape in layer.flags(m, n_in).items()}
            cache = Cache(**buffers, **flags)
            cache.index, cache.first = index, index == network.first
            self.layers.append(cache)
        self.loss = Arrays(**{a: np.zeros(shape, dtype) for a, shape in network.loss.buffers(m, network.n_out).items()})
        self.penalty: Array = np.zeros(network.layout.weights, dtype)
        self.mean_loss = 0.0  # of the last cost, without the penalty


class Network:
    """A stack of layers with an output layer and a loss; it holds no parameters and no buffers itself."""

    def __init__(
        self, layers: tuple[Layer, ...], loss: Loss, regularization: Regularization, n_in: int, target: Target
    ) -> None:
        self.n_in, self.target, self.loss, self.regularization = n_in, target, loss, regularization
        self.n_out = output_units(loss, target)
        self.layers: tuple[Layer, ...] = (*without_idle_biases(layers), Dense(units=self.n_out))
        self.widths = [n_in]
        for layer in self.layers:
            self.widths.append(layer.width(self.widths[-1]))
        self.layout = self._layout(lambda layer, width: layer.parameters(width))
        self.averages_layout = self._layout(lambda layer, width: layer.averages(width))
        self.first = min(place.layer for place in self.layout.places)  # the lowest layer that learns
        self.weighted = getattr(loss, "class_weights", None) is not None

    @classmethod
    def of(cls, spec: JobSpec, preprocessor: Preprocessor) -> "Network":
        """The network that a spec asks for, on data that this preprocessor makes.

        Raises SpecError where the loss cannot have the data's target.
        """
        target = Target.of(preprocessor)
        return cls(spec.layers, resolved_loss(spec.loss, target), spec.regularization, preprocessor.n_in, target)

    def with_changes(self, spec: JobSpec) -> "Network":
        """This network with a spec's hyper-parameters that may change in training: the same layout of parameters."""
        return Network(spec.layers, self.loss, spec.regularization, self.n_in, self.target)

    @property
    def parameter_count(self) -> int:
        return self.layout.size

    def _layout(self, shapes: Callable[[Layer, int], dict[str, Shape]]) -> Layout:
        """Name the tensors by dense layer, weights first: W1 W2 … b1 gamma1 beta1 b2 …."""
        tensors: list[tuple[str, int, str, Shape]] = []
        taken: set[str] = set()
        dense = 0
        for index, (layer, width) in enumerate(zip(self.layers, self.widths, strict=False)):
            dense += isinstance(layer, Dense)
            for letter, shape in shapes(layer, width).items():
                name, again = f"{letter}{dense}", 2
                while name in taken:  # a second batch norm behind the same dense layer
                    name, again = f"{letter}{dense}_{again}", again + 1
                taken.add(name)
                tensors.append((name, index, letter, shape))
        tensors.sort(key=lambda tensor: tensor[2] != "W")
        return Layout(tensors, len(self.layers))

    # -- parameters ---------------------------------------------------------------------------------------------

    def parameters(self, dtype: DTypeLike = np.float64) -> Parameters:
        """Parameters before any drawing: weights and biases 0, γ 1, running variances 1."""
        parameters = Parameters(self.layout, self.averages_layout, dtype)
        for name, array in parameters.named().items():
            if name.startswith(("gamma", "variance")):
                array[...] = 1
        return parameters

    def initialized(self, initializer: Initializer, generator: np.random.Generator, dtype: DTypeLike) -> Parameters:
        """Parameters with weights drawn layer by layer from the input on."""
        parameters = self.parameters(dtype)
        for index, layer in enumerate(self.layers):
            if isinstance(layer, Dense):
                activation = self._activation_after(index)
                parameters.layers[index].W[...] = initializer.draw(
                    self.widths[index], layer.units, activation, generator
                )
        return parameters

    def _activation_after(self, index: int) -> str:
        for layer in self.layers[index + 1 :]:
            if not isinstance(layer, BatchNorm | Dropout):
                return str(vars(layer)["type"])
        return "linear"

    # -- passes -------------------------------------------------------------------------------------------------

    def workspace(self, m: int, dtype: DTypeLike) -> Workspace:
        return Workspace(self, m, dtype)

    def gradient(self, dtype: DTypeLike) -> Gradient:
        return Gradient(self.layout, dtype)

    def forward(self, X: Array, parameters: Parameters, workspace: Workspace, run: Pass) -> Array:
        """The logits Z of the output layer, in the workspace."""
        A = X
        for layer, p, c in zip(self.layers, parameters.layers, workspace.layers, strict=True):
            A = layer.forward(A, p, c, run)
        return A

    def cost(self, X: Array, Y: Array, parameters: Parameters, workspace: Workspace, run: Pass) -> float:
        """J over the batch, penalty included; leaves in the workspace what backward needs."""
        Z = self.forward(X, parameters, workspace, run)
        workspace.mean_loss = self.loss.forward(Z, Y, workspace.w, workspace.loss)
        weights = parameters.theta[: self.layout.weights]
        return workspace.mean_loss + self.regularization.cost(weights, len(X), workspace.penalty)

    def backward(self, Y: Array, parameters: Parameters, gradient: Gradient, workspace: Workspace) -> None:
        """∂J/∂θ after `cost` of the same batch, into the gradient."""
        Z = workspace.layers[-1].Z
        dA = self.loss.backward(Z, Y, workspace.w, workspace.loss)
        for index in range(len(self.layers) - 1, self.first - 1, -1):
            dA = self.layers[index].backward(
                dA, parameters.layers[index], gradient.layers[index], workspace.layers[index]
            )
        count = self.layout.weights
        self.regularization.add_gradient(
            parameters.theta[:count], gradient.vector[:count], workspace.m, workspace.penalty
        )

    def flops_per_example(self) -> int:
        """Floating-point operations of the matrix products of one example's training step (2 forward, 4 back)."""
        return 6 * self.layout.weights

    def predict(self, X: Array, parameters: Parameters, block: int = 1024) -> Array:
        """The network's answers (m × k): probabilities, or values. Thread-safe: buffers are made here."""
        answers = np.empty((len(X), self.n_out), parameters.theta.dtype)
        run = Pass(Mode.PREDICT)
        workspace: Workspace | None = None
        for start in range(0, len(X), block):
            rows = X[start : start + block]
            if workspace is None or workspace.m != len(rows):
                workspace = self.workspace(len(rows), parameters.theta.dtype)
            answers[start : start + block] = self.forward(rows, parameters, workspace, run)
        return self.loss.output(answers)


def resolved_loss(loss: AutoLoss | Loss, target: Target) -> Loss:
    """The loss itself, or the one that follows from the target; raises SpecError where they do not fit."""
    if isinstance(loss, Loss):
        if (loss.task == "values") != (target.kind == "values"):
            raise SpecError("/loss/type", f"{vars(loss)['type']} cannot be used for a target of {target.kind}")
        if isinstance(loss, SoftmaxCrossEntropy) and target.kind == "multilabel":
            raise SpecError("/loss/type", "several labels per example need sigmoid_cross_entropy, not softmax")
        if isinstance(loss, SigmoidCrossEntropy) and target.kind == "classes" and target.outputs != 2:
            raise SpecError(
                "/loss/type",
                f"sigmoid_cross_entropy tells 2 classes apart, the target has {target.outputs}; use "
                "softmax_cross_entropy",
            )
        return loss
    if target.kind == "values":
        return MeanSquaredError()
    if target.kind == "multilabel" or target.outputs == 2:
        return SigmoidCrossEntropy()
    return SoftmaxCrossEntropy()


def output_units(loss: Loss, target: Target) -> int:
    one = isinstance(loss, SigmoidCrossEntropy) and target.kind == "classes"
    return 1 if one else target.outputs


def without_idle_biases(layers: tuple[Layer, ...]) -> list[Layer]:
    """Drop the bias of a dense layer that batch norm follows at once: its β replaces it."""
    followers = (*layers[1:], None)
    return [
        layer.model_copy(update={"bias": False})
        if isinstance(layer, Dense) and isinstance(follower, BatchNorm)
        else layer
        for layer, follower in zip(layers, followers, strict=False)
    ]
