"""A = g(Z) and dZ = dA·g'(Z) over flat stretches of numbers; engine/activations.py has the formulas.

One loop each, over arrays that do not overlap: only then does a processor take several numbers at once.
"""

from math import pi, sqrt

from engine.activations import ELU, GELU, Activation, LeakyReLU, Linear, ReLU, Sigmoid, SiLU, Tanh
from engine.compiling import compiled, like
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
def activate(kind: int, number: float, A: Array) -> None:
    """A holds Z and becomes g(Z)."""
    zero, half, one, p = like(A, 0), like(A, 0.5), like(A, 1), like(A, number)
    if kind == RELU:
        for i in range(len(A)):
            A[i] = A[i] if A[i] > zero else zero * A[i]  # what is no number stays none
    elif kind == LEAKY_RELU:
        for i in range(len(A)):
            A[i] = A[i] if A[i] > zero else p * A[i]
    elif kind == SIGMOID:
        for i in range(len(A)):
            A[i] = (hyperbolic_tangent(A[i] * half) + one) * half
    elif kind == TANH:
        for i in range(len(A)):
            A[i] = hyperbolic_tangent(A[i])
    elif kind == ELU_:
        for i in range(len(A)):
            A[i] = A[i] if A[i] > zero else p * exponential_minus_1(min(A[i], zero))
    elif kind == SILU:
        for i in range(len(A)):
            A[i] *= (hyperbolic_tangent(A[i] * half) + one) * half
    elif kind == GELU_:
        inner, cube = like(A, INNER), like(A, CUBE)
        for i in range(len(A)):
            T = hyperbolic_tangent((A[i] * A[i] * cube + one) * A[i] * inner)
            A[i] = (T + one) * A[i] * half


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
