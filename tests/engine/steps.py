"""An optimizer on its own, and the toy landscapes that every one of them must get down from."""

from collections.abc import Callable, Iterable

import numpy as np

from engine.optimizers import Optimizer
from engine.parameters import Array, Arrays

Slope = Callable[[Array], Array]


class Steps:
    """θ under one optimizer, with its memory; all of θ counts as weights."""

    def __init__(self, optimizer: Optimizer, theta: Iterable[float], **slots: Array) -> None:
        self.optimizer = optimizer
        self.theta: Array = np.array(theta, np.float64)
        fresh = {letter: np.zeros_like(self.theta) for letter in optimizer.slots}
        self.slots = Arrays(**(fresh | slots))
        self.work = Arrays(a=np.zeros_like(self.theta), b=np.zeros_like(self.theta))
        self.t = 0

    def step(self, g: Array, alpha: float | None = None, t: int | None = None) -> Array:
        self.t = self.t + 1 if t is None else t
        alpha = self.optimizer.learning_rate if alpha is None else alpha
        self.optimizer.decay(self.theta, alpha)
        self.optimizer.update(self.theta, np.array(g, np.float64), self.slots, alpha, self.t, self.work)
        return self.theta

    def descend(self, slope: Slope, steps: int, alpha: float) -> Array:
        for _ in range(steps):
            self.step(slope(self.theta), alpha)
        return self.theta


def parabola(theta: Array) -> float:
    return float(np.sum(theta**2))


def slope_of_parabola(theta: Array) -> Array:
    return 2 * theta


def rosenbrock(theta: Array) -> float:
    """(1 − x)² + 100(y − x²)²: easy to get into the bent valley, hard to follow it to (1, 1)."""
    x, y = theta
    return float((1 - x) ** 2 + 100 * (y - x**2) ** 2)


def slope_of_rosenbrock(theta: Array) -> Array:
    x, y = theta
    return np.array([-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)])


def assert_descends_the_parabola(optimizer: Optimizer, alpha: float = 0.01) -> None:
    start = np.array([1.0, -2.0, 0.5])
    end = Steps(optimizer, start).descend(slope_of_parabola, 2000, alpha)
    assert parabola(end) < 1e-3 * parabola(start)


def assert_descends_the_valley(optimizer: Optimizer) -> None:
    """From Rosenbrock's own start, where f = 24.2, to the floor of the valley and along it."""
    end = Steps(optimizer, (-1.2, 1.0)).descend(slope_of_rosenbrock, 10_000, 1e-3)
    assert rosenbrock(end) < 0.1
    assert end[0] > 0.5


def assert_rests_without_a_slope(optimizer: Optimizer) -> None:
    undecayed = optimizer.model_copy(update={"weight_decay": 0.0}) if has_decay(optimizer) else optimizer
    start = np.array([1.0, -2.0, 0.0])
    steps = Steps(undecayed, start)
    for _ in range(20):
        np.testing.assert_array_equal(steps.step(np.zeros(3)), start)


def has_decay(optimizer: Optimizer) -> bool:
    return "weight_decay" in type(optimizer).model_fields
