"""How θ moves against its gradient g; t counts mini-batches from 1, α is the learning rate of this step.

θ, g and the slots (an optimizer's memory) are flat vectors of one layout. An update overwrites θ and the slots,
uses two work vectors, and allocates nothing; g stays as it is.
"""

from abc import abstractmethod
from typing import Annotated, ClassVar, Final, Literal

import numpy as np
from pydantic import Field
from pydantic.config import JsonDict

from engine.component import Component
from engine.family import Family
from engine.parameters import Array, Arrays

RUNNING: Final[JsonDict] = {"may_change_while_running": True}
LearningRate = Annotated[
    float,
    Field(
        gt=0,
        le=10,
        description="learning rate α, the first hyper-parameter to tune: halve it when the cost jumps, double it when "
        "the cost creeps",
        json_schema_extra=RUNNING | {"importance": 1, "scale": "log", "typical_range": [1e-4, 1]},
    ),
]
Decay = Annotated[
    float,
    Field(
        ge=0,
        lt=1,
        description="weight of the past in an exponentially weighted average: 0.9 looks back over about 10 steps",
        json_schema_extra=RUNNING | {"importance": 2, "scale": "one_minus_log", "typical_range": [0.9, 0.999]},
    ),
]
RareDecay = Annotated[
    float,
    Field(
        ge=0,
        lt=1,
        description="weight of the past in the average; hardly ever worth tuning",
        json_schema_extra=RUNNING | {"importance": 4, "scale": "one_minus_log", "typical_range": [0.9, 0.9999]},
    ),
]
Epsilon = Annotated[
    float,
    Field(
        gt=0,
        description="keeps the division finite; outside the root, after bias correction; hardly ever worth tuning",
        json_schema_extra=RUNNING | {"importance": 4},
    ),
]


class Optimizer(Component):
    """θ ← θ − α·direction(g)."""

    slots: ClassVar[tuple[str, ...]] = ()
    learning_rate: LearningRate = 0.01

    @abstractmethod
    def update(self, theta: Array, g: Array, slots: Arrays, alpha: float, t: int, work: Arrays) -> None:
        """Move θ one step; `work` holds two vectors, a and b."""

    def decay(self, weights: Array, alpha: float) -> None:
        """Shrink the weights, before the update and apart from the gradient; most optimizers do not."""


class GradientDescent(Optimizer):
    """θ ← θ − α·g. Use it with a full batch, or to see what the others add."""

    type: Literal["gradient_descent"] = "gradient_descent"

    def update(self, theta: Array, g: Array, slots: Arrays, alpha: float, t: int, work: Arrays) -> None:
        np.multiply(g, alpha, out=work.a)
        theta -= work.a


class Momentum(Optimizer):
    """v ← βv + (1−β)g; θ ← θ − αv. Classic: v ← βv + g. Nesterov looks ahead: θ ← θ − α(βv + (1−β)g).

    Use it in place of gradient descent with mini-batches: it averages their noise away.
    """

    type: Literal["momentum"] = "momentum"
    beta: Decay = 0.9
    classic: bool = Field(
        False, description="v ← βv + g, as most libraries have it: α then acts 1/(1−β) times stronger"
    )
    bias_correction: bool = Field(False, description="divide v by 1 − βᵗ, so that the first steps are not too small")
    nesterov: bool = Field(False, description="take the gradient's share as if one step ahead (Nesterov)")
    slots: ClassVar[tuple[str, ...]] = ("v",)

    def update(self, theta: Array, g: Array, slots: Arrays, alpha: float, t: int, work: Arrays) -> None:
        v, share = slots.v, 1 if self.classic else 1 - self.beta
        np.multiply(g, share, out=work.a)
        v *= self.beta
        v += work.a
        if self.nesterov:
            np.multiply(v, self.beta, out=work.b)
            work.a += work.b
        else:
            np.copyto(work.a, v)
        work.a *= alpha / (1 - self.beta**t) if self.bias_correction else alpha
        theta -= work.a


class RMSprop(Optimizer):
    """s ← βs + (1−β)g²; θ ← θ − α·g/(√s + ε). Use it where gradients differ much in size between parameters."""

    type: Literal["rmsprop"] = "rmsprop"
    learning_rate: LearningRate = 0.001
    beta: Decay = 0.9
    epsilon: Epsilon = 1e-8
    slots: ClassVar[tuple[str, ...]] = ("s",)

    def update(self, theta: Array, g: Array, slots: Arrays, alpha: float, t: int, work: Arrays) -> None:
        s = slots.s
        np.multiply(g, g, out=work.a)
        work.a *= 1 - self.beta
        s *= self.beta
        s += work.a
        np.sqrt(s, out=work.a)
        work.a += self.epsilon
        np.divide(g, work.a, out=work.a)
        work.a *= alpha
        theta -= work.a


class AdaptiveMoments(Optimizer):
    """v ← β₁v + (1−β₁)g, s ← β₂s + (1−β₂)g²; θ ← θ − α·v̂/(√ŝ + ε), v̂ = v/(1−β₁ᵗ), ŝ = s/(1−β₂ᵗ)."""

    learning_rate: LearningRate = 0.001
    beta1: RareDecay = 0.9
    beta2: RareDecay = 0.999
    epsilon: Epsilon = 1e-8
    slots: ClassVar[tuple[str, ...]] = ("v", "s")

    def update(self, theta: Array, g: Array, slots: Arrays, alpha: float, t: int, work: Arrays) -> None:
        v, s = slots.v, slots.s
        np.multiply(g, 1 - self.beta1, out=work.a)
        v *= self.beta1
        v += work.a
        np.multiply(g, g, out=work.a)
        work.a *= 1 - self.beta2
        s *= self.beta2
        s += work.a
        np.divide(s, 1 - self.beta2**t, out=work.a)  # ŝ
        np.sqrt(work.a, out=work.a)
        work.a += self.epsilon
        np.divide(v, work.a, out=work.a)
        work.a *= alpha / (1 - self.beta1**t)
        theta -= work.a


class Adam(AdaptiveMoments):
    """θ ← θ − α·v̂/(√ŝ + ε): momentum and RMSprop together; the default choice.

    The form of the paper (Kingma and Ba 2015, algorithm 1): ε outside the root, after bias correction.
    """

    type: Literal["adam"] = "adam"


class AdamW(AdaptiveMoments):
    """Adam, with W ← W − α·λ·W beside it: weight decay that g's scaling does not touch (Loshchilov 2019).

    Use it in place of Adam with L2, whose penalty Adam's scaling weakens where gradients are large.
    """

    type: Literal["adamw"] = "adamw"
    weight_decay: float = Field(
        0.01,
        ge=0,
        le=10,
        description="decoupled weight decay λ, on weights only; raise it against variance",
        json_schema_extra=RUNNING | {"importance": 3, "scale": "log", "typical_range": [1e-4, 0.1]},
    )

    def decay(self, weights: Array, alpha: float) -> None:
        weights *= 1 - alpha * self.weight_decay


AnyOptimizer = Annotated[GradientDescent | Momentum | RMSprop | Adam | AdamW, Family()]
