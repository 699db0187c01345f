"""Penalty, clipping, decay and the optimizer's step over a stretch of θ, a piece at a time while it is in the cache.

engine/optimizers.py and engine/regularization.py have the formulas. What does not depend on the parameter comes as a
few numbers worked out once a step.
"""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from engine.compiling import compiled, like, summing
from engine.optimizers import Adam, AdamW, AdaptiveMoments, GradientDescent, Momentum, Optimizer, RMSprop
from engine.parameters import Array

GRADIENT_DESCENT, MOMENTUM, RMSPROP, ADAM = range(4)
KNOWN = (GradientDescent, Momentum, RMSprop, Adam, AdamW)
PIECE = 4096  # numbers of θ at a time: weights and gradient stay in a core's first cache
KIND, RATE, A, B, C, D, E, DECAY, L1, L2, CLIP_VALUE, CLIP_NORM = range(12)
CONSTANTS = 12


def constants(optimizer: Optimizer) -> NDArray[np.float64]:
    """What an optimizer has beside its learning rate, in the places that `moment` knows."""
    c = np.zeros(CONSTANTS)
    if isinstance(optimizer, Momentum):
        flags = optimizer.classic, optimizer.bias_correction, optimizer.nesterov
        c[KIND], c[A] = MOMENTUM, optimizer.beta
        c[B], c[C], c[D] = flags
    elif isinstance(optimizer, RMSprop):
        c[KIND], c[A], c[B] = RMSPROP, optimizer.beta, optimizer.epsilon
    elif isinstance(optimizer, AdaptiveMoments):
        c[KIND], c[A], c[B], c[C] = ADAM, optimizer.beta1, optimizer.beta2, optimizer.epsilon
        c[DECAY] = optimizer.weight_decay if isinstance(optimizer, AdamW) else 0
    elif isinstance(optimizer, GradientDescent):
        c[KIND] = GRADIENT_DESCENT
    else:
        raise KeyError(type(optimizer).__name__)
    return c


@compiled
def moment(c: NDArray[np.float64], rate: float, t: int, m: int, now: NDArray[np.float64]) -> None:
    """The numbers of step t with a batch of m examples, in the places of `now` that `piece` reads."""
    kind = int(c[KIND])
    now[KIND], now[RATE] = c[KIND], rate
    now[DECAY] = 1 - rate * c[DECAY]
    now[L1], now[L2], now[CLIP_VALUE] = c[L1] / m, c[L2] / m, c[CLIP_VALUE]
    if kind == MOMENTUM:
        now[A], now[B], now[D] = c[A], 1.0 if c[B] else 1 - c[A], c[D]
        now[RATE] = rate / (1 - c[A] ** t) if c[C] else rate
    elif kind == RMSPROP:
        now[A], now[B], now[C] = c[A], 1 - c[A], c[B]
    elif kind == ADAM:
        now[A], now[B], now[C], now[D] = c[A], 1 - c[A], c[B], 1 - c[B]
        now[E] = c[C]
        now[RATE] = rate / (1 - c[A] ** t)
        now[CLIP_NORM] = 1 / (1 - c[B] ** t)


@summing
def sum_of_squares(x: Array) -> float:
    """Σ x², in float64."""
    total = 0.0
    for i in range(len(x)):
        total += np.float64(x[i]) * np.float64(x[i])
    return total


@summing
def sum_of_sizes(x: Array) -> float:
    """Σ |x|, in float64."""
    total = 0.0
    for i in range(len(x)):
        total += np.float64(abs(x[i]))
    return total


@compiled
def objective(now: NDArray[np.float64], W: Array, g: Array, weights: int | np.int64) -> float:
    """Add the penalty's gradient to that of weights and cut it by value; what the penalty costs."""
    cost = 0.0
    if weights != 0 and now[L2] != 0:
        by = like(g, now[L2])
        for i in range(len(g)):
            g[i] += W[i] * by
        cost += now[L2] / 2 * sum_of_squares(W)
    if weights != 0 and now[L1] != 0:
        by, zero = like(g, now[L1]), like(g, 0)
        for i in range(len(g)):
            sign = by if W[i] > zero else -by if W[i] < zero else W[i]  # a weight that is no number makes g none
            g[i] += sign
        cost += now[L1] * sum_of_sizes(W)
    if now[CLIP_VALUE] != 0:
        top = like(g, now[CLIP_VALUE])
        for i in range(len(g)):
            g[i] = top if g[i] > top else -top if g[i] < -top else g[i]
    return cost


@compiled
def shrink(g: Array, times: float) -> None:
    """g ← g·times."""
    by = like(g, times)
    for i in range(len(g)):
        g[i] *= by


@compiled
def move(now: NDArray[np.float64], theta: Array, g: Array, v: Array, s: Array, weights: int | np.int64) -> None:
    """One step of the optimizer; v and s are its slots, or empty."""
    kind = int(now[KIND])
    rate, a, b, c, d = like(g, now[RATE]), like(g, now[A]), like(g, now[B]), like(g, now[C]), like(g, now[D])
    n = len(g)
    if weights != 0 and now[DECAY] != 1:
        times = like(g, now[DECAY])
        for i in range(n):
            theta[i] *= times
    if kind == ADAM:
        e, unbiased = like(g, now[E]), like(g, now[CLIP_NORM])
        for i in range(n):
            first = v[i] * a + g[i] * b
            second = s[i] * c + g[i] * g[i] * d
            v[i] = first
            s[i] = second
            theta[i] -= first / (np.sqrt(second * unbiased) + e) * rate
    elif kind == RMSPROP:
        for i in range(n):
            second = s[i] * a + g[i] * g[i] * b
            s[i] = second
            theta[i] -= g[i] / (np.sqrt(second) + c) * rate
    elif kind == MOMENTUM:
        if d == 0:
            for i in range(n):
                v[i] = v[i] * a + g[i] * b
                theta[i] -= v[i] * rate
        else:
            for i in range(n):
                v[i] = v[i] * a + g[i] * b
                theta[i] -= (g[i] * b + v[i] * a) * rate
    else:
        for i in range(n):
            theta[i] -= g[i] * rate


@compiled
def update(
    now: NDArray[np.float64],
    theta: Array,
    g: Array,
    v: Array,
    s: Array,
    weights: int | np.int64,
) -> float:
    """Penalty, clipping by value and the step, a piece at a time; what the penalty costs."""
    cost = 0.0
    for start in range(0, len(g), PIECE):
        end = min(start + PIECE, len(g))
        part, grad = theta[start:end], g[start:end]
        cost += objective(now, part, grad, weights)
        move(now, part, grad, v[start:end], s[start:end], weights)
    return cost


@compiled
def clipping(squares: float, limit: float) -> float:
    """What g is multiplied by so that its norm keeps to the limit."""
    norm = sqrt(squares)
    return limit / norm if norm > limit else 1.0
