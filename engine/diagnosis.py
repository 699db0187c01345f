"""Bias or variance? From the errors on train and dev and the error nobody can avoid, with the next jobs to try.

avoidable bias = train error − base error, variance = dev error − train error.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.next_steps import NextStep, against_bias, against_illness, against_variance
from engine.spec import JobSpec

HIGH = 0.02  # two percentage points
Verdict = Literal[
    "low bias, low variance", "high bias", "high variance", "high bias and high variance", "unknown: no dev set"
]


class Diagnosis(BaseModel):
    """The verdict, what it rests on, and what to try, best first."""

    model_config = ConfigDict(frozen=True)
    verdict: Verdict
    error: str = Field(description="which error was compared: error, or for values 1 − R²")
    train_error: float
    dev_error: float | None
    base_error: float
    avoidable_bias: float
    variance: float | None
    high_from: float = Field(HIGH, description="bias or variance of at least so much counts as high")
    evidence: tuple[str, ...]
    next_steps: tuple[NextStep, ...]


def verdict(train: float, dev: float | None, base: float = 0.0, high: float = HIGH) -> Verdict:
    """The verdict on these errors, each from 0 to 1."""
    bias = train - base >= high
    if dev is None:
        return "high bias" if bias else "unknown: no dev set"
    variance = dev - train >= high
    if bias and variance:
        return "high bias and high variance"
    return "high bias" if bias else "high variance" if variance else "low bias, low variance"


def diagnose(spec: JobSpec, result: Mapping[str, Any], warnings: Sequence[Mapping[str, Any]] = ()) -> Diagnosis:
    """Judge a finished job by its resolved spec, its result and the warnings given while it ran."""
    name = "error" if "error" in result["train"] else "1 − R²"
    train = error_of(result["train"])
    dev = error_of(result["dev"]) if "dev" in result else None
    base = spec.checks.base_error
    found = verdict(train, dev, base)
    steps = list(against_illness(spec, warnings))
    if "bias" in found:
        steps += against_bias(spec, result) if found.startswith("high bias") else ()
    if "high variance" in found:
        steps += against_variance(spec)
    return Diagnosis(
        verdict=found,
        error=name,
        train_error=train,
        dev_error=dev,
        base_error=base,
        avoidable_bias=train - base,
        variance=None if dev is None else dev - train,
        evidence=tuple(evidence(train, dev, base, result, warnings)),
        next_steps=tuple(steps),
    )


def error_of(report: Mapping[str, Any]) -> float:
    """The error of a set: the share that is wrong, or of values the share of variance not explained."""
    if report.get("error") is not None:
        return float(report["error"])
    return 1.0 if report.get("r2") is None else 1 - float(report["r2"])


def evidence(
    train: float, dev: float | None, base: float, result: Mapping[str, Any], warnings: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    yield f"train error {train:.2%} − base error {base:.2%} = avoidable bias {train - base:.2%}"
    if dev is None:
        yield "there is no dev set, so the variance cannot be told; give data.split a dev share"
    else:
        yield f"dev error {dev:.2%} − train error {train:.2%} = variance {dev - train:.2%}"
        examples = int(result["dev"]["examples"])
        noise = sqrt(max(dev * (1 - dev), 0.0) / examples) if 0 <= dev <= 1 else 0.0
        yield f"the dev error of {examples} examples is known to ± {noise:.2%} (one standard error)"
    if result.get("kept") == "best":
        yield f"the model kept is that of epoch {result['epoch']} of {result['epochs']}, the best on dev"
    for warning in warnings:
        yield f"epoch {warning.get('epoch')}: {warning.get('message')}"
