"""Losses with their gradient in one pass over the logits, which become dZ; engine/losses.py has the formulas.

Targets are a table's row for a class, or values. What is returned is the sum over the rows, in float64.
"""

from math import log, log1p

import numpy as np
from numpy.typing import NDArray

from engine.compiling import compiled, like
from engine.kernels.elementary import exponential, hyperbolic_tangent
from engine.losses import MeanSquaredError, SigmoidCrossEntropy, SoftmaxCrossEntropy
from engine.parameters import Array

SOFTMAX, SIGMOID, SQUARES = range(3)
NUMBERS = {SoftmaxCrossEntropy: SOFTMAX, SigmoidCrossEntropy: SIGMOID, MeanSquaredError: SQUARES}


@compiled
def right_answers(Z: Array, labels: NDArray[np.intp]) -> int:
    """How many rows have their largest logit at their label; of a single logit, whether it is positive."""
    rows, k = Z.shape
    count = 0
    for i in range(rows):
        best = 0
        if k == 1:
            best = 1 if Z[i, 0] > 0 else 0
        else:
            for c in range(1, k):
                # As NumPy's argmax has it: the first of the largest, or the first that is not a number.
                if not (Z[i, c] <= Z[i, best]) and Z[i, best] == Z[i, best]:
                    best = c
        if best == labels[i]:
            count += 1
    return count


@compiled
def softmax(Z: Array, Y: Array, w: Array, m: int, row: Array) -> float:
    """Σ wᵢ(log Σe^(z − max) − Σ y(z − max)); Z becomes (ŷ − y)·w/m. `row` is as long as Z has rows."""
    rows, k = Z.shape
    zero, one, size = like(Z, 0), like(Z, 1), like(Z, m)
    for i in range(rows):
        z, y = Z[i], Y[i]
        largest = z[0]
        for c in range(1, k):
            largest = z[c] if z[c] > largest else largest
        matched = zero
        for c in range(k):
            z[c] -= largest
            matched += z[c] * y[c]
        row[i] = matched
    flat = Z.reshape(-1)
    for i in range(len(flat)):
        flat[i] = exponential(flat[i])
    total = 0.0
    for i in range(rows):
        z, y = Z[i], Y[i]
        s = zero
        for c in range(k):
            s += z[c]
        weight = w[i] if len(w) > 0 else one
        total += np.float64((log(s) - row[i]) * weight)
        times = weight / size
        inverse = times / s
        for c in range(k):
            z[c] = z[c] * inverse - y[c] * times
    return total


@compiled
def sigmoid(Z: Array, Y: Array, w: Array, m: int) -> float:
    """Σ wᵢ(max(z, 0) − zy + log(1 + e^−|z|)); Z becomes (ŷ − y)·w/m."""
    rows, k = Z.shape
    zero, half, one, size = like(Z, 0), like(Z, 0.5), like(Z, 1), like(Z, m)
    total = 0.0
    for i in range(rows):
        weight = w[i] if len(w) > 0 else one
        for c in range(k):
            z, y = Z[i, c], Y[i, c]
            total += np.float64((max(z, zero) + log1p(exponential(-abs(z))) - z * y) * weight)
            Z[i, c] = ((hyperbolic_tangent(z * half) + one) * half - y) * weight / size
    return total


@compiled
def squares(Z: Array, Y: Array, m: int) -> float:
    """Σ (ŷ − y)²/k; Z becomes 2(ŷ − y)/(m·k)."""
    rows, k = Z.shape
    times = like(Z, 2.0 / (m * k))
    total = 0.0
    for i in range(rows):
        for c in range(k):
            error = Z[i, c] - Y[i, c]
            total += np.float64(error * error)
            Z[i, c] = error * times
    return float(total / k)
