"""Backpropagation against finite differences."""

from typing import TypedDict

from trainshed.client.types.failure import Failure
from trainshed.client.types.job import State
from trainshed.client.types.json import JsonObject


class ComponentCheck(TypedDict):
    """One component of a tensor, with both its derivatives."""

    tensor: str
    index: list[int]
    analytic: float
    numeric: float
    kink: bool


class TensorCheck(TypedDict):
    """How far one tensor's analytic gradient is from the numeric one."""

    name: str
    size: int
    checked: int
    difference: float
    verdict: str
    within_round_off: bool
    kinks: int
    worst: ComponentCheck


class GradientReport(TypedDict):
    """What a check found; `at` is the moment of the training that was checked."""

    at: str | int
    difference: float
    verdict: str
    difference_without_kinks: float
    kinks: int
    checked: int
    parameters: int
    epsilon: float
    sided: str
    seed: int
    examples: int
    cost: float
    conditions: str
    tensors: list[TensorCheck]
    worst: list[ComponentCheck]


class GradientCheck(TypedDict):
    """A check that was asked for, or, with `requested` null, one that the job's spec wants."""

    number: int
    state: State
    requested: JsonObject | None
    report: GradientReport | None
    error: Failure | None
    created_by: str
    created_at: str
    finished_at: str | None
