"""A job: one training, from the JSON that asks for it to the model that comes out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pydantic import JsonValue

from worker.domain.work_items import Control, Failure, Signals, Status

Stage = Literal["waiting", "preparing", "training", "saving", "done"]
CheckpointKind = Literal["best", "periodic", "control"]


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

    @property
    def fraction(self) -> float:
        """Of the steps that were planned, those that are done."""
        return min(1.0, self.step / max(1, self.steps))


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


@dataclass(frozen=True, kw_only=True)
class Checkpoint(Saved):
    """A checkpoint that the store knows of."""

    job_id: str
    number: int  # within the job, from 1; none is given twice
    created_at: datetime


@dataclass(frozen=True)
class Registered:
    """A checkpoint was registered: its number, and the files that it has made superfluous."""

    number: int
    signals: Signals
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
class Milestone:
    """A state that the job entered."""

    state: Status
    at: datetime
    attempt: int
    reason: str | None = None


@dataclass(frozen=True)
class Period(Milestone):
    """The time that the job spent in a state."""

    until: datetime | None = field(kw_only=True)  # None: it still is in it

    @property
    def seconds(self) -> float | None:
        """How long that was; None while it lasts."""
        return None if self.until is None else (self.until - self.at).total_seconds()


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
    created_by: str
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
    version: int  # grows by every change of what the store knows of it
    waiting_reason: str | None
    queue_position: int | None  # 1 is next; only where a single job is looked at
    timeline: tuple[Milestone, ...]

    @property
    def done(self) -> bool:
        """Whether the job has come to its end, whichever."""
        return self.state.terminal

    @property
    def periods(self) -> tuple[Period, ...]:
        """The timeline with the time at which each state gave way to the next."""
        ends = [later.at for later in self.timeline[1:]] + [None]
        return tuple(
            Period(entered.state, entered.at, entered.attempt, entered.reason, until=until)
            for entered, until in zip(self.timeline, ends, strict=True)
        )


@dataclass(frozen=True)
class JobVersion:
    """A job as it was at one moment, without its contents: two that are equal look the same in a list."""

    id: str
    version: int
    waiting_reason: str | None
