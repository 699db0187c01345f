"""Penalty, clipping and the optimizer's step, a thread for each parameter; engine/optimizers.py has the formulas.

What changes from step to step comes from a table on the device, made for many steps at once.
"""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from engine.gpu.batch import NUMBER
from engine.gpu.kernel import Array, in_one_block, in_turns, kernel, per_element
from engine.optimizers import Adam, AdamW, AdaptiveMoments, GradientDescent, Momentum, Optimizer, RMSprop

RATE, UNBIASED, SHRINK = range(3)
"""Of a step: α with the correction of v̂, 1/(1 − β₂ᵗ), and what weights are multiplied by beforehand."""

COST, SQUARES = range(2)
"""Of a part: its share of the penalty, and of ‖g‖²."""


def moments(optimizer: Optimizer, rates: NDArray[np.float64], t: int) -> NDArray[np.float64]:
    """The table for steps t, t + 1, … with these rates."""
    table = np.ones((len(rates), 3))
    table[:, RATE] = rates
    steps = np.arange(t, t + len(rates), dtype=np.float64)
    if isinstance(optimizer, AdaptiveMoments):
        table[:, RATE] /= 1 - optimizer.beta1**steps
        table[:, UNBIASED] = 1 / (1 - optimizer.beta2**steps)
    elif isinstance(optimizer, Momentum) and optimizer.bias_correction:
        table[:, RATE] /= 1 - optimizer.beta**steps
    if isinstance(optimizer, AdamW):
        table[:, SHRINK] = 1 - rates * optimizer.weight_decay
    return table


@kernel(
    in_turns,
    "g",
    """
    (const real* theta, real* g, whole weights, double l1, double l2, double limit, double* parts,
     whole height, whole width) {
        double cost = 0, squares = 0;
        for (whole e = (whole)blockIdx.x * blockDim.x + threadIdx.x; e < height; e += (whole)gridDim.x * blockDim.x) {
            real d = g[e];
            if (e < weights) {
                const real w = theta[e];
                if (l2 != 0) {
                    d += w * real(l2);
                    cost += l2 / 2 * (double)w * (double)w;
                }
                if (l1 != 0) {
                    d += w > 0 ? real(l1) : w < 0 ? -real(l1) : w;
                    cost += l1 * (double)fabs(w);
                }
            }
            if (limit != 0) d = d > real(limit) ? real(limit) : d < -real(limit) ? -real(limit) : d;
            g[e] = d;
            squares += (double)d * (double)d;
        }
        cost = sum_of_block(cost);
        squares = sum_of_block(squares);
        if (threadIdx.x == 0) {
            parts[2 * blockIdx.x] = cost;
            parts[2 * blockIdx.x + 1] = squares;
        }
    }
    """,
)
def objective(theta: Array, g: Array, weights: int, l1: float, l2: float, limit: float, parts: Array) -> None:
    """g += λ₂/m·W + λ₁/m·sign(W), then cut by value; the parts hold the penalty and ‖g‖². λ comes divided by m."""
    W = theta[:weights]
    g[:weights] += W * g.dtype.type(l2) + np.sign(W) * g.dtype.type(l1)
    if limit:
        np.clip(g, -limit, limit, out=g)
    parts[:] = 0
    parts[0, COST] = l2 / 2 * np.square(W, dtype=np.float64).sum() + l1 * np.abs(W).sum(dtype=np.float64)
    parts[0, SQUARES] = np.square(g, dtype=np.float64).sum()


@kernel(
    in_one_block,
    "parts",
    """
    (const double* parts, double limit, double* factor, whole height, whole width) {
        double squares = 0;
        for (whole n = threadIdx.x; n < height; n += blockDim.x) squares += parts[2 * n + 1];
        squares = sum_of_block(squares);
        if (threadIdx.x == 0) factor[0] = sqrt(squares) > limit ? limit / sqrt(squares) : 1;
    }
    """,
)
def clip(parts: Array, limit: float, factor: Array) -> None:
    """What g is multiplied by so that its norm keeps to the limit."""
    norm = sqrt(parts[:, SQUARES].sum())
    factor[0] = limit / norm if norm > limit else 1


MOVE = """
    (real* theta, real* g, real* v, real* s, whole weights, const double* factor, const double* moments,
     const whole* clock, double a, double b, double c, double d, double epsilon, whole height, whole width) {
        const whole e = (whole)blockIdx.x * blockDim.x + threadIdx.x;
        if (e >= height) return;
        const double* now = moments + 3 * clock[1];
        const real rate = real(now[0]);
        real x = theta[e], grad = g[e];
        if (factor) g[e] = grad *= real(factor[0]);
        if (e < weights && now[2] != 1) x *= real(now[2]);
        %s
        theta[e] = x;
    }
"""


def begun(theta: Array, g: Array, weights: int, factor: Array | None, now: NDArray[np.float64]) -> np.floating:
    """What comes before every optimizer's own step: g clipped, weights shrunk; and α in the parameters' precision."""
    if factor is not None:
        g *= g.dtype.type(factor[0])
    if now[SHRINK] != 1:
        theta[:weights] *= theta.dtype.type(now[SHRINK])
    alpha: np.floating = theta.dtype.type(now[RATE])
    return alpha


@kernel(per_element, "theta", MOVE % "x -= grad * rate;")
def descend(
    theta: Array, g: Array, v: Array | None, s: Array | None, weights: int, factor: Array | None, moments: Array,
    clock: Array, a: float, b: float, c: float, d: float, epsilon: float,
) -> None:  # fmt: skip
    """θ ← θ − α·g."""
    rate = begun(theta, g, weights, factor, moments[clock[NUMBER]])
    theta -= g * rate


@kernel(
    per_element,
    "theta",
    MOVE
    % """
        const real old = v[e] * real(a), share = grad * real(b);
        v[e] = old + share;
        x -= (c != 0 ? (old + share) * real(a) + share : old + share) * rate;
    """,
)
def momentum(
    theta: Array, g: Array, v: Array, s: Array | None, weights: int, factor: Array | None, moments: Array,
    clock: Array, a: float, b: float, c: float, d: float, epsilon: float,
) -> None:  # fmt: skip
    """v ← a·v + b·g; θ ← θ − α·v, or with c by Nesterov."""
    rate = begun(theta, g, weights, factor, moments[clock[NUMBER]])
    v *= v.dtype.type(a)
    v += g * g.dtype.type(b)
    theta -= (v * v.dtype.type(a) + g * g.dtype.type(b) if c else v) * rate


@kernel(
    per_element,
    "theta",
    MOVE
    % """
        const real second = s[e] * real(a) + grad * grad * real(b);
        s[e] = second;
        x -= grad / (sqrt(second) + real(epsilon)) * rate;
    """,
)
def rms(
    theta: Array, g: Array, v: Array | None, s: Array, weights: int, factor: Array | None, moments: Array,
    clock: Array, a: float, b: float, c: float, d: float, epsilon: float,
) -> None:  # fmt: skip
    """s ← a·s + b·g²; θ ← θ − α·g/(√s + ε)."""
    rate = begun(theta, g, weights, factor, moments[clock[NUMBER]])
    s *= s.dtype.type(a)
    s += g * g * s.dtype.type(b)
    theta -= g / (np.sqrt(s) + s.dtype.type(epsilon)) * rate


@kernel(
    per_element,
    "theta",
    MOVE
    % """
        const real first = v[e] * real(a) + grad * real(b), second = s[e] * real(c) + grad * grad * real(d);
        v[e] = first;
        s[e] = second;
        x -= first / (sqrt(second * real(now[1])) + real(epsilon)) * rate;
    """,
)
def adaptive(
    theta: Array, g: Array, v: Array, s: Array, weights: int, factor: Array | None, moments: Array,
    clock: Array, a: float, b: float, c: float, d: float, epsilon: float,
) -> None:  # fmt: skip
    """v ← a·v + b·g, s ← c·s + d·g²; θ ← θ − α·v/(√ŝ + ε)."""
    now = moments[clock[NUMBER]]
    rate = begun(theta, g, weights, factor, now)
    v *= v.dtype.type(a)
    v += g * g.dtype.type(b)
    s *= s.dtype.type(c)
    s += g * g * s.dtype.type(d)
    theta -= v / (np.sqrt(s * s.dtype.type(now[UNBIASED])) + s.dtype.type(epsilon)) * rate


def constants(optimizer: Optimizer) -> tuple[float, float, float, float, float]:
    """a, b, c, d and ε of an optimizer's kernel."""
    match optimizer:
        case Momentum():
            beta = optimizer.beta
            return beta, 1.0 if optimizer.classic else 1 - beta, float(optimizer.nesterov), 0.0, 0.0
        case RMSprop():
            return optimizer.beta, 1 - optimizer.beta, 0.0, 0.0, optimizer.epsilon
        case AdaptiveMoments():
            b1, b2 = optimizer.beta1, optimizer.beta2
            return b1, 1 - b1, b2, 1 - b2, optimizer.epsilon
    return 0.0, 0.0, 0.0, 0.0, 0.0


OF = {GradientDescent: descend, Momentum: momentum, RMSprop: rms, Adam: adaptive, AdamW: adaptive}
