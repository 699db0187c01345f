"""The same mathematics once more, forward only, for `autograd` to differentiate: an oracle for backpropagation."""

from collections.abc import Callable, Mapping
from typing import Any

import autograd.numpy as np
import autograd.scipy.special as special
from autograd import value_and_grad

from engine.examples import Examples
from engine.layers import BatchNorm, Dense, Dropout
from engine.losses import SigmoidCrossEntropy, SoftmaxCrossEntropy
from engine.network import Network
from engine.parameters import Arrays

Theta = list[dict[str, Any]]


def dense(layer: Dense, p: Mapping[str, Any], A: Any) -> Any:
    return np.dot(A, p["W"]) + (p["b"] if layer.bias else 0.0)


def batch_norm(layer: BatchNorm, p: Mapping[str, Any], A: Any) -> Any:
    spread = np.sqrt(np.var(A, axis=0) + layer.epsilon)
    return (A - np.mean(A, axis=0)) / spread * p["gamma"] + p["beta"]


def dropout(layer: Dropout, p: Mapping[str, Any], A: Any) -> Any:
    return np.where(p["D"], A / layer.keep_prob, 0.0) if "D" in p else A


def gelu(Z: Any) -> Any:
    return 0.5 * Z * (1 + np.tanh(np.sqrt(2 / np.pi) * (Z + 0.044715 * Z**3)))


LAYERS: dict[str, Callable[..., Any]] = {
    "dense": dense,
    "batch_norm": batch_norm,
    "dropout": dropout,
    "linear": lambda layer, p, Z: Z,
    "sigmoid": lambda layer, p, Z: special.expit(Z),
    "tanh": lambda layer, p, Z: np.tanh(Z),
    "relu": lambda layer, p, Z: np.where(Z > 0, Z, 0.0),
    "leaky_relu": lambda layer, p, Z: np.where(Z > 0, Z, layer.slope * Z),
    "elu": lambda layer, p, Z: np.where(Z > 0, Z, layer.alpha * (np.exp(Z) - 1)),
    "silu": lambda layer, p, Z: Z * special.expit(Z),
    "gelu": lambda layer, p, Z: gelu(Z),
}


def sigmoid_loss(loss: SigmoidCrossEntropy, Z: Any, y: Any, w: Any) -> Any:
    """One output for two classes, y being the class; or one for each label."""
    wanted = y.reshape(Z.shape) * (1 - loss.label_smoothing) + loss.label_smoothing / 2
    loss_of_each = -wanted * np.log(special.expit(Z)) - (1 - wanted) * np.log(special.expit(-Z))
    return np.mean(np.sum(loss_of_each, axis=1) * w)


def softmax_loss(loss: SoftmaxCrossEntropy, Z: Any, y: Any, w: Any) -> Any:
    classes = Z.shape[1]
    wanted = np.eye(classes)[y] * (1 - loss.label_smoothing) + loss.label_smoothing / classes
    return np.mean((special.logsumexp(Z, axis=1) - np.sum(wanted * Z, axis=1)) * w)


LOSSES: dict[str, Callable[..., Any]] = {
    "sigmoid_cross_entropy": sigmoid_loss,
    "softmax_cross_entropy": softmax_loss,
    "mean_squared_error": lambda loss, Z, y, w: np.mean((Z - y) ** 2),
}


def as_theta(layers: list[Arrays], network: Network) -> Theta:
    """The learned tensors of each layer, by letter."""
    theta: Theta = [{} for _ in network.layers]
    for place in network.layout.places:
        theta[place.layer][place.letter] = np.array(getattr(layers[place.layer], place.letter))
    return theta


def example_weights(network: Network, examples: Examples) -> Any:
    """The weight of each example's class; 1 without class weights."""
    weights = getattr(network.loss, "class_weights", None)
    if weights is None:
        return 1.0
    m, labels = len(examples), network.target.labels
    if weights == "balanced":
        weights = {label: m / (len(labels) * np.sum(examples.y == c)) for c, label in enumerate(labels)}
    return np.array([weights.get(labels[c], 1.0) for c in examples.y])


def cost_and_gradient(
    network: Network, theta: Theta, examples: Examples, masks: Mapping[int, Any] | None = None
) -> tuple[float, Theta]:
    """J and ∂J/∂θ by automatic differentiation; `masks` are dropout's, by layer."""
    kept = masks or {}
    w = example_weights(network, examples)

    def cost(theta: Theta) -> Any:
        A: Any = examples.inputs.x
        for index, (layer, p) in enumerate(zip(network.layers, theta, strict=True)):
            extra = {"D": kept[index]} if index in kept else {}
            A = LAYERS[str(vars(layer)["type"])](layer, dict(p) | extra, A)
        penalty, m = network.regularization, len(examples.inputs.x)
        weights = [p["W"] for p in theta if "W" in p]
        return (
            LOSSES[str(vars(network.loss)["type"])](network.loss, A, examples.y, w)
            + penalty.l2 / (2 * m) * sum(np.sum(W**2) for W in weights)
            + penalty.l1 / m * sum(np.sum(np.abs(W)) for W in weights)
        )

    value, gradient = value_and_grad(cost)(theta)
    return float(value), gradient
