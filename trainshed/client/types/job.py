"""A training job."""

from typing import Literal, TypedDict

from trainshed.client.types.failure import Failure
from trainshed.client.types.json import JsonObject, Spec

State = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled"]


class Progress(TypedDict):
    """How far a training is; `eta_at_most` where early stopping may end it sooner."""

    epoch: int
    epochs: int
    step: int
    steps: int
    fraction: float
    examples_per_second: float | None
    eta_seconds: float | None
    eta_at_most: bool
    epochs_since_best: int | None
    patience: int | None


class Milestone(TypedDict):
    """A state that a job came into."""

    state: State
    at: str
    attempt: int
    reason: str | None


class Job(TypedDict):
    """A job at one moment."""

    id: str
    name: str | None
    state: State
    done: bool
    stage: Literal["waiting", "preparing", "training", "saving", "done"]
    epoch: int
    epochs: int
    progress: Progress | None
    attempt: int
    pending: Literal["pause", "stop", "cancel"] | None
    stop_reason: str | None
    waiting_reason: str | None
    queue_position: int | None
    error: Failure | None
    result: JsonObject | None
    warnings: int
    queue: str
    priority: int
    seed: int
    data_hash: str
    revision: int
    rerun_of: str | None
    environment: JsonObject | None
    created_by: str
    created_at: str
    updated_at: str
    started_at: str | None
    finished_at: str | None
    spent_seconds: float
    timeline: list[Milestone]
    spec: Spec


class CostEstimate(TypedDict):
    """How much work a job would be."""

    parameters: int
    examples: int
    steps_per_epoch: int
    memory_bytes: int
    flops_per_epoch: int


class Validated(TypedDict):
    """What a spec would be as a job."""

    spec: Spec
    queue: str
    cost: CostEstimate
