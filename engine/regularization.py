"""What keeps the weights small: a penalty in the objective. Biases, γ and β are not penalized."""

import numpy as np
from pydantic import Field

from engine.component import Component
from engine.parameters import Array, Arrays


class Regularization(Component):
    """J += λ₂/(2m)·Σ‖W‖² + λ₁/m·Σ|W|, with m the examples of the batch at hand."""

    l1: float = Field(
        0.0,
        ge=0,
        description="λ₁: pulls weights to exactly 0; use it for a sparse model",
        json_schema_extra={"importance": 3, "may_change_while_running": True, "scale": "log"},
    )
    l2: float = Field(
        0.0,
        ge=0,
        description="λ₂: keeps weights small; raise it against variance, lower it against bias",
        json_schema_extra={"importance": 3, "may_change_while_running": True, "scale": "log"},
    )

    def cost(self, W: Array, m: int, work: Array) -> float:
        """The penalty for all weights W (a flat slice of θ); `work` is as long as W."""
        penalty = 0.0
        if self.l2:
            np.multiply(W, W, out=work)
            penalty += self.l2 / (2 * m) * float(work.sum(dtype=np.float64))
        if self.l1:
            np.abs(W, out=work)
            penalty += self.l1 / m * float(work.sum(dtype=np.float64))
        return penalty

    def add_gradient(self, W: Array, dW: Array, m: int, work: Array) -> None:
        """dW += λ₂/m·W + λ₁/m·sign(W)."""
        if self.l2:
            np.multiply(W, self.l2 / m, out=work)
            dW += work
        if self.l1:
            np.sign(W, out=work)
            work *= self.l1 / m
            dW += work


def clip_by_norm(g: Array, limit: float, work: Arrays) -> None:
    """g ← g·limit/‖g‖ where ‖g‖ exceeds the limit, over all parameters together."""
    np.multiply(g, g, out=work.a)
    norm = float(np.sqrt(work.a.sum(dtype=np.float64)))
    if norm > limit:
        g *= limit / norm


def clip_by_value(g: Array, limit: float) -> None:
    """Every component of g into [−limit, limit]."""
    np.clip(g, -limit, limit, out=g)
