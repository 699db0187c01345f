"""Batch norm, a thread's rows at a time: column sums first, then one pass that uses them.

Sums over the batch are formed for each thread's rows and added up in the order of the threads, so the result does not
depend on who is first.
"""

import numpy as np
from numpy.typing import NDArray

from engine.compiling import compiled, like
from engine.parameters import Array


@compiled
def column_sums(Z: Array, sums: Array) -> None:
    """Σ over rows of Z (rows × n)."""
    rows, n = Z.shape
    for j in range(n):
        sums[j] = like(Z, 0)
    for i in range(rows):
        row = Z[i]
        for j in range(n):
            sums[j] += row[j]


@compiled
def add_column_sums(Z: Array, sums: Array) -> None:
    """sums += Σ over rows of Z."""
    rows, n = Z.shape
    for i in range(rows):
        row = Z[i]
        for j in range(n):
            sums[j] += row[j]


@compiled
def column_squares(Z: Array, mean: Array, sums: Array) -> None:
    """Σ over rows of (Z − μ)²."""
    rows, n = Z.shape
    for j in range(n):
        sums[j] = like(Z, 0)
    for i in range(rows):
        row = Z[i]
        for j in range(n):
            centered = row[j] - mean[j]
            sums[j] += centered * centered


@compiled
def add_up(partial: Array, out: Array, divisor: float) -> None:
    """Σ over threads, divided: partial is threads × n."""
    threads, n = partial.shape
    by = like(out, divisor)
    for j in range(n):
        out[j] = partial[0, j]
    for t in range(1, threads):
        for j in range(n):
            out[j] += partial[t, j]
    for j in range(n):
        out[j] /= by


@compiled
def scales(variance: Array, epsilon: float, out: Array) -> None:
    """1/√(σ² + ε)."""
    one, e = like(out, 1), like(out, epsilon)
    for j in range(len(variance)):
        out[j] = one / np.sqrt(variance[j] + e)


@compiled
def normalize(Z_hat: Array, mean: Array, scale: Array, gamma: Array, beta: Array, Y: Array) -> None:
    """Z becomes Ẑ = (Z − μ)·scale; Y = γ·Ẑ + β."""
    rows, n = Z_hat.shape
    for i in range(rows):
        hat, y = Z_hat[i], Y[i]
        for j in range(n):
            h = (hat[j] - mean[j]) * scale[j]
            hat[j] = h
            y[j] = h * gamma[j] + beta[j]


@compiled
def average(seen: Array, kept: Array, share: float) -> None:
    """V̂ += (x − V̂)·share."""
    s = like(kept, share)
    for j in range(len(seen)):
        kept[j] += (seen[j] - kept[j]) * s


@compiled
def gradient_sums(dY: Array, Z_hat: Array, dbeta: Array, dgamma: Array) -> None:
    """dβ += Σ dY and dγ += Σ dY·Ẑ over rows."""
    rows, n = dY.shape
    for i in range(rows):
        d, hat = dY[i], Z_hat[i]
        for j in range(n):
            dbeta[j] += d[j]
            dgamma[j] += d[j] * hat[j]


@compiled
def back(dY: Array, Z_hat: Array, dbeta: Array, dgamma: Array, scale: Array, gamma: Array) -> None:
    """dZ = γ·scale·(dY − mean(dY) − Ẑ·mean(dY·Ẑ)), in place of dY; the sums are divided by m already."""
    rows, n = dY.shape
    for i in range(rows):
        d, hat = dY[i], Z_hat[i]
        for j in range(n):
            d[j] = (d[j] - dbeta[j] - hat[j] * dgamma[j]) * (gamma[j] * scale[j])


@compiled
def add_bias(Z: Array, b: Array) -> None:
    """Z += b."""
    rows, n = Z.shape
    for i in range(rows):
        row = Z[i]
        for j in range(n):
            row[j] += b[j]


@compiled
def drop(A: Array, mask: NDArray[np.uint8], keep_prob: float) -> None:
    """A becomes A·D/keep_prob."""
    times, zero = like(A, 1) / like(A, keep_prob), like(A, 0)
    for i in range(len(A)):
        A[i] = A[i] * times if mask[i] != 0 else zero


@compiled
def copy(source: Array, target: Array) -> None:
    """One stretch of numbers into another."""
    for i in range(len(source)):
        target[i] = source[i]
