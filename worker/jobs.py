"""A job: one training, from the JSON that asks for it to the model that comes out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import JsonValue


class Status(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"  # saved, and waiting for a worker
    RUNNING = "running"  # a worker holds the lease and trains
    SUCCEEDED = "succeeded"  # the model is saved
    FAILED = "failed"  # it cannot be trained; `error` says why
    CANCELLED = "cancelled"  # somebody asked for the end before it came

    @property
    def terminal(self) -> bool:
        """Whether nothing can happen to the job any more."""
        return not MOVES[self]


MOVES: Mapping[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.RUNNING, Status.CANCELLED}),
    # queued: the lease expired, or the worker is about to end; running: taken over by the next attempt
    Status.RUNNING: frozenset({Status.QUEUED, Status.RUNNING, Status.SUCCEEDED, Status.FAILED, Status.CANCELLED}),
    Status.SUCCEEDED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}
"""Every legal move of a job; whatever is not here is an `IllegalMove`."""

LIVE = tuple(status for status in Status if not status.terminal)

Stage = Literal["waiting", "preparing", "training", "saving", "done"]
Control = Literal["cancel"]


@dataclass(frozen=True)
class Failure:
    """Why a job failed, in the words of the person who has to change something."""

    code: str
    message: str
    param: str | None = None  # JSON pointer into the spec
    hint: str | None = None


@dataclass(frozen=True)
class Milestone:
    """A state that the job entered."""

    state: Status
    at: datetime
    attempt: int
    reason: str | None = None


@dataclass(frozen=True)
class Job:
    """A job as the store knows it at one moment; times are UTC."""

    id: str
    name: str | None
    state: Status
    spec: Mapping[str, JsonValue]
    seed: int
    queue: str
    data_hash: str
    attempt: int  # claims so far; every write of a worker carries it (the fencing token)
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    stage: Stage
    epoch: int  # epochs finished by this attempt
    epochs: int
    pending: Control | None  # asked for, and not yet confirmed by the worker
    stop_reason: str | None
    error: Failure | None
    result: Mapping[str, JsonValue] | None
    warnings: int
    version: int  # grows by every change: an ETag
    waiting_reason: str | None
    timeline: tuple[Milestone, ...]

    @property
    def done(self) -> bool:
        """Whether the job has come to its end, whichever."""
        return self.state.terminal


@dataclass(frozen=True)
class Claim:
    """A worker's right to write about a job, good until the lease runs out or a higher attempt is claimed."""

    job: Job
    worker: str

    @property
    def job_id(self) -> str:
        return self.job.id

    @property
    def attempt(self) -> int:
        return self.job.attempt
