"""How the learning rate falls as training goes on: a schedule is a function of α₀ and the time.

Time is counted from 0, in epochs, or in steps with `per: step`. Warm-up is part of every schedule.
"""

from abc import abstractmethod
from math import cos, floor, pi, sqrt
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from engine.component import Component
from engine.family import Family

LONGEST = 2**31 - 1  # units of time: more than any run has


class Schedule(Component):
    """α(t) from α₀, with the first `warmup` units of time rising linearly to it."""

    per: Literal["epoch", "step"] = Field("epoch", description="the unit of time t: epochs, or mini-batches")
    warmup: NonNegativeInt = Field(
        0,
        le=LONGEST,
        description="units of time over which α rises linearly, α·(t + 1)/(warmup + 1), before anything else",
    )

    def rate(self, rate: float, epoch: int, step: int, epochs: int, steps_per_epoch: int) -> float:
        """α at this epoch and step, both counted from 0; the run has `epochs` of `steps_per_epoch`."""
        t, end = (epoch, epochs) if self.per == "epoch" else (step, epochs * steps_per_epoch)
        if t < self.warmup:
            return rate * (t + 1) / (self.warmup + 1)
        return self(rate, t - self.warmup, max(end - self.warmup, 1))

    @abstractmethod
    def __call__(self, rate: float, t: int, end: int) -> float:
        """α at time t after the warm-up, of `end` in all."""


class Constant(Schedule):
    """α₀. Use it first; change it when the cost jitters near the end."""

    type: Literal["constant"] = "constant"

    def __call__(self, rate: float, t: int, end: int) -> float:
        return rate


class InverseTime(Schedule):
    """α₀/(1 + decay·t); with an interval, in stairs: α₀/(1 + decay·⌊t/interval⌋). A gentle decay for long runs."""

    type: Literal["inverse_time"] = "inverse_time"
    decay: float = Field(1.0, ge=0, description="decay rate: 1 halves α after the first unit of time")
    interval: PositiveInt | None = Field(None, le=LONGEST, description="units of time per stair; null decays smoothly")

    def __call__(self, rate: float, t: int, end: int) -> float:
        return rate / (1 + self.decay * (t if self.interval is None else t // self.interval))


class Exponential(Schedule):
    """α₀·baseᵗ. A fast decay: 0.95 per epoch halves α every 14."""

    type: Literal["exponential"] = "exponential"
    base: float = Field(0.95, gt=0, le=1, description="multiplied in at every unit of time")

    def __call__(self, rate: float, t: int, end: int) -> float:
        return float(rate * self.base**t)


class InverseRoot(Schedule):
    """k·α₀/√t, and α₀ at t = 0. A slow decay that never quite ends."""

    type: Literal["inverse_root"] = "inverse_root"
    k: PositiveFloat = Field(1.0, description="the constant k")

    def __call__(self, rate: float, t: int, end: int) -> float:
        return rate if t == 0 else self.k * rate / sqrt(t)


class StepDecay(Schedule):
    """α₀·factor^⌊t/every⌋: a discrete staircase. Use it when you know after how long the cost stalls."""

    type: Literal["step_decay"] = "step_decay"
    factor: float = Field(0.5, gt=0, le=1, description="multiplied in at every stair")
    every: PositiveInt = Field(10, le=LONGEST, description="units of time per stair")

    def __call__(self, rate: float, t: int, end: int) -> float:
        return float(rate * self.factor ** floor(t / self.every))


class Table(Schedule):
    """The learning rate written out: pairs (t, α), each valid until the next. Use it to replay decay by hand."""

    type: Literal["table"] = "table"
    rates: tuple[tuple[NonNegativeInt, PositiveFloat], ...] = Field(
        min_length=1, max_length=1000, description="pairs [t, α]; before the first of them α₀ is used"
    )

    def __call__(self, rate: float, t: int, end: int) -> float:
        return max(((start, alpha) for start, alpha in self.rates if start <= t), default=(0, rate))[1]


class Cosine(Schedule):
    """floor + (α₀ − floor)·(1 + cos(πt/end))/2: slow, fast, slow down to the end (Loshchilov 2017).

    Use it, with some warm-up, when the number of epochs is fixed.
    """

    type: Literal["cosine"] = "cosine"
    floor: float = Field(0.0, ge=0, description="the learning rate at the end of the run")

    def __call__(self, rate: float, t: int, end: int) -> float:
        return self.floor + (rate - self.floor) * (1 + cos(pi * min(t, end) / end)) / 2


AnySchedule = Annotated[
    Constant | InverseTime | Exponential | InverseRoot | StepDecay | Table | Cosine,
    Family(),
]
