"""A = g(Z + b) and dZ = dA·g'(Z), with what is next to them in memory; engine/activations.py has the formulas."""

from collections.abc import Callable

import numpy as np

from engine.gpu.kernel import Array, functions, kernel, per_column, per_element
from engine.kernels.activation import (
    CUBE,
    ELU_,
    GELU_,
    IN_PLACE,
    INNER,
    LEAKY_RELU,
    LINEAR,
    NUMBERS,
    RELU,
    SIGMOID,
    SILU,
    TANH,
    parameter,
)

__all__ = ["IN_PLACE", "LINEAR", "NUMBERS", "activate", "parameter", "slope"]

functions(
    f"""
#define INNER real({INNER!r})
#define CUBE real({CUBE!r})
"""
    """
enum { LINEAR, RELU, LEAKY_RELU, SIGMOID, TANH, ELU, SILU, GELU };

__device__ real sigma(real z) {
    return (tanh(z * real(0.5)) + 1) * real(0.5);
}

__device__ real activation(whole kind, real p, real z) {
    switch (kind) {
        case RELU: return z <= 0 ? 0 : z;
        case LEAKY_RELU: return z > 0 ? z : p * z;
        case SIGMOID: return sigma(z);
        case TANH: return tanh(z);
        case ELU: return z > 0 ? z : p * expm1(z);
        case SILU: return z * sigma(z);
        case GELU: return (tanh((z * z * CUBE + 1) * z * INNER) + 1) * z * real(0.5);
        default: return z;
    }
}

// g'(z), from a = g(z) alone where z has been overwritten.
__device__ real derivative(whole kind, real p, real z, real a) {
    switch (kind) {
        case RELU: return a > 0 ? 1 : 0;
        case LEAKY_RELU: return a > 0 ? 1 : p;
        case SIGMOID: return (1 - a) * a;
        case TANH: return 1 - a * a;
        case ELU: return a > 0 ? 1 : a + p;
        case SILU: { const real gate = sigma(z); return (1 - gate) * a + gate; }
        case GELU: {
            const real square = z * z, t = tanh((square * CUBE + 1) * z * INNER);
            return (square * (3 * CUBE) + 1) * (INNER / 2) * z * (1 - t * t) + (t + 1) * real(0.5);
        }
        default: return 1;
    }
}
"""
)


def sigma(Z: Array) -> Array:
    return np.asarray((np.tanh(Z * 0.5) + 1) * 0.5, Z.dtype)


def gelu_gate(Z: Array) -> Array:
    return np.asarray(np.tanh((Z * Z * CUBE + 1) * Z * INNER), Z.dtype)


@kernel(
    per_element,
    "A",
    """
    (real* Z, const real* b, real* A, whole kind, double number, whole height, whole width) {
        ELEMENT
        real z = Z[e];
        if (b) {
            z += b[j];
            if (A != Z) Z[e] = z;
        }
        A[e] = activation(kind, real(number), z);
    }
    """,
)
def activate(Z: Array, b: Array | None, A: Array, kind: int, number: float) -> None:
    """Z += b, where there is one, and A = g(Z); A may be Z."""
    if b is not None:
        Z += b
    p = number
    formulas: dict[int, Callable[[], Array]] = {
        LINEAR: lambda: Z,
        RELU: lambda: np.maximum(Z, 0),
        LEAKY_RELU: lambda: np.where(Z > 0, Z, p * Z),
        SIGMOID: lambda: sigma(Z),
        TANH: lambda: np.tanh(Z),
        ELU_: lambda: np.where(Z > 0, Z, p * np.expm1(np.minimum(Z, 0))),
        SILU: lambda: Z * sigma(Z),
        GELU_: lambda: (gelu_gate(Z) + 1) * Z * 0.5,
    }
    A[:] = formulas[kind]()


@kernel(
    per_column,
    "dA",
    """
    (real* dA, const real* Z, const real* A, whole kind, double number, real* db, whole height, whole width) {
        COLUMN;
        real sum = 0;
        EACH_ROW {
            const whole e = i * width + j;
            real d = dA[e];
            if (kind != LINEAR) {
                const real times = derivative(kind, real(number), Z[e], A[e]);
                d = kind == RELU && times == 0 ? 0 : d * times;
                dA[e] = d;
            }
            sum += d;
        }
        if (!db) return;
        sum = sum_of_column(sum);
        if (threadIdx.y == 0 && j < width) db[j] = sum;
    }
    """,
)
def slope(dA: Array, Z: Array | None, A: Array | None, kind: int, number: float, db: Array | None) -> None:
    """dA ← dA·g'(Z), from A where Z has been overwritten; and db = Σ dA over the batch, where it is wanted."""
    if kind != LINEAR and Z is not None and A is not None:
        formulas: dict[int, Callable[[], Array]] = {
            RELU: lambda: A > 0,
            LEAKY_RELU: lambda: np.where(A > 0, 1, number),
            SIGMOID: lambda: (1 - A) * A,
            TANH: lambda: 1 - A * A,
            ELU_: lambda: np.where(A > 0, 1, A + number),
            SILU: lambda: sigma(Z) + A * (1 - sigma(Z)),
            GELU_: lambda: (
                (gelu_gate(Z) + 1) * 0.5 + Z * 0.5 * (1 - gelu_gate(Z) ** 2) * INNER * (1 + 3 * CUBE * Z * Z)
            ),
        }
        dA *= formulas[kind]().astype(dA.dtype, copy=False)
    if db is not None:
        np.sum(dA, axis=0, out=db)
