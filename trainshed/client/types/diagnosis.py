"""Bias or variance."""

from typing import Literal, NotRequired, TypedDict

from trainshed.client.types.json import JsonObject


class NextStep(TypedDict):
    """A job to try next: the merge patch of the spec, and the patched spec."""

    against: Literal["bias", "variance", "illness"]
    title: str
    reason: str
    patch: JsonObject
    spec: JsonObject


class Diagnosis(TypedDict):
    """Bias or variance, with the evidence and what to try, best first."""

    verdict: Literal[
        "low bias, low variance",
        "high bias",
        "high variance",
        "high bias and high variance",
        "unknown: no dev set",
    ]
    error: str
    train_error: float
    dev_error: float | None
    base_error: float
    avoidable_bias: float
    variance: float | None
    high_from: NotRequired[float]
    evidence: list[str]
    next_steps: list[NextStep]
