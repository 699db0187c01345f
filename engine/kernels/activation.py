"""A = g(Z) and dZ = dA·g'(Z) over flat stretches of numbers, one loop each; engine/activations.py has the formulas."""

from math import pi, sqrt

import numpy as np

from engine.activations import ELU, GELU, Activation, LeakyReLU, Linear, ReLU, Sigmoid, SiLU, Tanh
from engine.kernels.compiling import compiled, like
from engine.kernels.elementary import exponential_minus_1, hyperbolic_tangent
from engine.parameters import Array

LINEAR, RELU, LEAKY_RELU, SIGMOID, TANH, ELU_, SILU, GELU_ = range(8)
NUMBERS = {
    Linear: LINEAR,
    ReLU: RELU,
    LeakyReLU: LEAKY_RELU,
    Sigmoid: SIGMOID,
    Tanh: TANH,
    ELU: ELU_,
    SiLU: SILU,
    GELU: GELU_,
}
IN_PLACE = (LINEAR, RELU, LEAKY_RELU, SIGMOID, TANH, ELU_)  # g' follows from A, so Z may be overwritten
INNER, CUBE = sqrt(2 / pi), 0.044715


def parameter(layer: Activation) -> float:
    """The one number that some activations have."""
    return layer.slope if isinstance(layer, LeakyReLU) else layer.alpha if isinstance(layer, ELU) else 0.0


@compiled
def activate(kind: int, number: float, Z: Array, A: Array) -> None:
    """A = g(Z); A may be Z itself."""
    zero, half, one, p = like(Z, 0), like(Z, 0.5), like(Z, 1), like(Z, number)
    if kind == RELU:
        for i in range(len(Z)):
            A[i] = Z[i] if Z[i] > zero else zero * Z[i]
    elif kind == LEAKY_RELU:
        for i in range(len(Z)):
            A[i] = Z[i] if Z[i] > zero else p * Z[i]
    elif kind == SIGMOID:
        for i in range(len(Z)):
            A[i] = (hyperbolic_tangent(Z[i] * half) + one) * half
    elif kind == TANH:
        for i in range(len(Z)):
            A[i] = hyperbolic_tangent(Z[i])
    elif kind == ELU_:
        for i in range(len(Z)):
            A[i] = Z[i] if Z[i] > zero else p * exponential_minus_1(min(Z[i], zero))
    elif kind == SILU:
        for i in range(len(Z)):
            A[i] = Z[i] * ((hyperbolic_tangent(Z[i] * half) + one) * half)
    elif kind == GELU_:
        inner, cube = like(Z, INNER), like(Z, CUBE)
        for i in range(len(Z)):
            T = hyperbolic_tangent((Z[i] * Z[i] * cube + one) * Z[i] * inner)
            A[i] = (T + one) * Z[i] * half


@compiled
def slope(kind: int, number: float, Z: Array, A: Array, dA: Array) -> None:
    """dA ← dA·g'(Z), from A where Z has been overwritten."""
    zero, half, one, p = like(Z, 0), like(Z, 0.5), like(Z, 1), like(Z, number)
    if kind == RELU:
        for i in range(len(A)):
            dA[i] = dA[i] if A[i] > zero else zero
    elif kind == LEAKY_RELU:
        for i in range(len(A)):
            dA[i] = dA[i] if A[i] > zero else p * dA[i]
    elif kind == SIGMOID:
        for i in range(len(A)):
            dA[i] *= (one - A[i]) * A[i]
    elif kind == TANH:
        for i in range(len(A)):
            dA[i] *= one - A[i] * A[i]
    elif kind == ELU_:
        for i in range(len(A)):
            dA[i] = dA[i] if A[i] > zero else dA[i] * (A[i] + p)
    elif kind == SILU:
        for i in range(len(A)):
            gate = (hyperbolic_tangent(Z[i] * half) + one) * half
            dA[i] *= (one - gate) * A[i] + gate
    elif kind == GELU_:
        inner, cube, three_cubes, half_inner = like(Z, INNER), like(Z, CUBE), like(Z, 3 * CUBE), like(Z, INNER / 2)
        for i in range(len(A)):
            square = Z[i] * Z[i]
            T = hyperbolic_tangent((square * cube + one) * Z[i] * inner)
            dA[i] *= (square * three_cubes + one) * half_inner * Z[i] * (one - T * T) + (T + one) * half
