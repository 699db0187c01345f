"""A job: one training, from the JSON that asks for it to the model that comes out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import JsonValue


class Status(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"  # saved, and waiting for a worker
    RUNNING = "running"  # a worker holds the lease and trains
    PAUSED = "paused"  # somebody asked for a rest; it goes on from its newest checkpoint when they ask for that
    SUCCEEDED = "succeeded"  # the model is saved
    FAILED = "failed"  # it cannot be trained; `error` says why
    CANCELLED = "cancelled"  # somebody asked for the end before it came

    @property
    def terminal(self) -> bool:
        """Whether nothing can happen to the job any more."""
        return not MOVES[self]


MOVES: Mapping[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.RUNNING, Status.PAUSED, Status.CANCELLED}),
    # queued: the lease expired, or the worker is about to end; running: taken over by the next attempt
    Status.RUNNING: frozenset(Status),
    Status.PAUSED: frozenset({Status.QUEUED, Status.CANCELLED}),
    Status.SUCCEEDED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}
"""Every legal move of a job; whatever is not here is an `IllegalMove`."""

LIVE = tuple(status for status in Status if not status.terminal)

Stage = Literal["waiting", "preparing", "training", "saving", "done"]
Control = Literal["pause", "stop", "cancel"]
"""What somebody may want of a job; of two wishes the later in this list counts."""

CheckpointKind = Literal["best", "periodic", "control"]


@dataclass(frozen=True)
class Wish:
    """What the store tells the worker of a job each time it hears from it."""

    control: Control | None
    revision: int  # the newest hyper-parameters, 0 as submitted


@dataclass(frozen=True)
class Progress:
    """How far a training is, as its worker last said."""

    step: int  # of the whole run
    steps: int
    examples_per_second: float | None = None
    eta_seconds: float | None = None
    at_most: bool = False  # early stopping may end the run sooner
    epochs_since_best: int | None = None
    patience: int | None = None  # epochs without an improvement that early stopping bears


@dataclass(frozen=True)
class Saved:
    """A checkpoint's file that is safe on disk; `file` is relative to the artifacts' root."""

    epoch: int  # epochs finished
    step: int
    kind: CheckpointKind
    file: str
    sha256: str
    bytes: int
    revision: int = 0  # the hyper-parameters that were in force
    metrics: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint(Saved):
    """A checkpoint that the store knows of."""

    job_id: str = ""
    number: int = 0  # within the job, from 1; none is given twice
    created_at: datetime = datetime.min


@dataclass(frozen=True)
class Registered:
    """A checkpoint was registered: its number, and the files that it has made superfluous."""

    number: int
    wish: Wish
    superseded: tuple[str, ...]


@dataclass(frozen=True)
class Revision:
    """A change of hyper-parameters while the job lives; `before` and `after` map JSON pointers to values."""

    job_id: str
    number: int  # within the job, from 1
    patch: Mapping[str, JsonValue]  # RFC 7396, as it was asked for
    before: Mapping[str, JsonValue]
    after: Mapping[str, JsonValue]
    spec: Mapping[str, JsonValue]  # the whole of it, from this revision on
    note: str | None
    who: str | None
    created_at: datetime
    effective_epoch: int | None  # the first epoch that was trained with it
    checkpoint: int | None  # taken just before
    undone_at: datetime | None


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
    priority: int  # 0 to 9; 9 is claimed first
    data_hash: str
    attempt: int  # claims so far; every write of a worker carries it (the fencing token)
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    spent_seconds: float  # by the attempts before this one
    stage: Stage
    epoch: int  # epochs finished
    epochs: int
    progress: Progress | None
    environment: Mapping[str, JsonValue] | None  # where it trains: kernels, threads, versions
    revision: int  # the newest hyper-parameters, 0 as submitted
    rerun_of: str | None
    pending: Control | None  # asked for, and not yet confirmed by the worker
    stop_reason: str | None
    error: Failure | None
    result: Mapping[str, JsonValue] | None
    warnings: int
    version: int  # grows by every change: an ETag
    waiting_reason: str | None
    queue_position: int | None  # 1 is next; only where a single job is looked at
    timeline: tuple[Milestone, ...]

    @property
    def done(self) -> bool:
        """Whether the job has come to its end, whichever."""
        return self.state.terminal


@dataclass(frozen=True)
class Edition:
    """A job as it was at one moment, without its contents: two that are equal look the same in a list."""

    id: str
    version: int
    waiting_reason: str | None


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
