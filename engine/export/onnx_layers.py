"""The network as ONNX: dense layers, activations and the answer that follows from the loss.

Batch norm is what it is in prediction, γ·(Z − μ)/√(σ² + ε) + β over the running averages: a scale and a shift, taken
into the weights of the dense layer right before it. Dropout is not there. Activations are composed of operators that
runtimes implement for float and double alike.
"""

from collections.abc import Callable, Mapping
from math import pi, sqrt

import numpy as np
from numpy.typing import NDArray

from engine.activations import ELU, GELU, LeakyReLU, Linear, ReLU, Sigmoid, SiLU, Tanh
from engine.errors import ExportImpossible
from engine.export.onnx_graph import Graph
from engine.layer import Layer
from engine.layers import BatchNorm, Dense, Dropout
from engine.losses import MeanSquaredError, SigmoidCrossEntropy, SoftmaxCrossEntropy
from engine.model import Model
from engine.parameters import Arrays

Values = NDArray[np.float64]


class Arithmetic:
    """The operators that activations are composed of, with numbers in the network's dtype."""

    def __init__(self, graph: Graph, dtype: np.dtype[np.floating]) -> None:
        self.graph, self.dtype = graph, dtype

    def number(self, number: float) -> str:
        return self.graph.constant(np.array(number, self.dtype))

    def times(self, value: str, factor: str | float) -> str:
        return self.graph.node("Mul", value, factor if isinstance(factor, str) else self.number(factor))

    def plus(self, value: str, other: str | float) -> str:
        return self.graph.node("Add", value, other if isinstance(other, str) else self.number(other))

    def at_least(self, value: str, other: str | float) -> str:
        return self.graph.node("Max", value, other if isinstance(other, str) else self.number(other))

    def elu(self, Z: str, alpha: float) -> str:
        """max(Z, 0) + α(e^min(Z, 0) − 1)."""
        below = self.graph.node("Exp", self.graph.node("Min", Z, self.number(0)))
        return self.plus(self.at_least(Z, 0), self.times(self.plus(below, -1), alpha))

    def gelu(self, Z: str) -> str:
        """Z/2·(1 + tanh(√(2/π)·(Z + 0.044715·Z³)))."""
        inner = self.times(Z, self.plus(self.times(self.times(Z, Z), 0.044715), 1))
        T = self.graph.node("Tanh", self.times(inner, sqrt(2 / pi)))
        return self.times(self.times(self.plus(T, 1), Z), 0.5)


ACTIVATIONS: Mapping[type[Layer], Callable[[Arithmetic, str, Layer], str]] = {
    Linear: lambda a, Z, layer: Z,
    Sigmoid: lambda a, Z, layer: a.graph.node("Sigmoid", Z),
    Tanh: lambda a, Z, layer: a.graph.node("Tanh", Z),
    ReLU: lambda a, Z, layer: a.graph.node("Relu", Z),
    LeakyReLU: lambda a, Z, layer: a.at_least(a.times(Z, float(vars(layer)["slope"])), Z),
    ELU: lambda a, Z, layer: a.elu(Z, float(vars(layer)["alpha"])),
    SiLU: lambda a, Z, layer: a.times(Z, a.graph.node("Sigmoid", Z)),
    GELU: lambda a, Z, layer: a.gelu(Z),
    Dropout: lambda a, A, layer: A,
}


def network_answers(graph: Graph, model: Model, inputs: str) -> str:
    """The value that holds probabilities (rows × C) or values (rows × k)."""
    dtype = model.parameters.theta.dtype
    arithmetic = Arithmetic(graph, dtype)
    layers = list(zip(model.network.layers, model.parameters.layers, strict=True))
    A = inputs
    while layers:
        layer, p = layers.pop(0)
        if isinstance(layer, Dense):
            W, b = p.W.astype(np.float64), p.b.astype(np.float64) if layer.bias else np.zeros(layer.units)
            if layers and isinstance(following := layers[0][0], BatchNorm):
                scale, shift = _averaged(following, layers.pop(0)[1])
                W, b = W * scale, b * scale + shift
            A = graph.node("Gemm", A, graph.constant(W.astype(dtype)), graph.constant(b.astype(dtype)))
        elif isinstance(layer, BatchNorm):
            scale, shift = _averaged(layer, p)
            A = arithmetic.times(A, graph.constant(scale.astype(dtype)))
            A = arithmetic.plus(A, graph.constant(shift.astype(dtype)))
        elif type(layer) in ACTIVATIONS:
            A = ACTIVATIONS[type(layer)](arithmetic, A, layer)
        else:
            raise ExportImpossible(f"the layer {vars(layer)['type']} has no ONNX form yet")
    return _answer(arithmetic, model, A)


def _averaged(layer: BatchNorm, p: Arrays) -> tuple[Values, Values]:
    """γ/√(σ² + ε), and β − μ times that."""
    gamma, beta, mean, variance = (array.astype(np.float64) for array in (p.gamma, p.beta, p.mean, p.variance))
    scale = gamma / np.sqrt(variance + layer.epsilon)
    return scale, beta - mean * scale


def _answer(arithmetic: Arithmetic, model: Model, Z: str) -> str:
    graph, network = arithmetic.graph, model.network
    match network.loss:
        case MeanSquaredError():
            return Z
        case SoftmaxCrossEntropy():
            return graph.node("Softmax", Z, axis=1)
        case SigmoidCrossEntropy():
            p = graph.node("Sigmoid", Z)
            if network.target.kind == "multilabel":
                return p
            return graph.node("Concat", graph.node("Sub", arithmetic.number(1), p), p, axis=1)
        case other:
            raise ExportImpossible(f"the loss {vars(other)['type']} has no ONNX form yet")
