"""A batch prediction: a whole dataset predicted by a worker, with a version of a registered model, into a file."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from engine.answer_files import AnswerFormat
from worker.domain.jobs import Failure


class BatchState(StrEnum):
    """Where a batch prediction stands."""

    QUEUED = "queued"  # saved, and waiting for a worker
    RUNNING = "running"  # a worker holds the lease and predicts
    SUCCEEDED = "succeeded"  # the result can be downloaded
    FAILED = "failed"  # it cannot be made; `error` says why


@dataclass(frozen=True)
class BatchPrediction:
    """A batch prediction as the store knows it at one moment; times are UTC."""

    id: str
    name: str  # of the model
    version: int
    dataset_id: str
    reference: str  # what the request called the dataset
    format: AnswerFormat
    state: BatchState
    rows: int
    rows_done: int
    file: str | None  # the result, relative to the artifacts' root
    sha256: str | None
    bytes: int | None
    error: Failure | None
    attempt: int  # claims so far; the fencing token
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def done(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.state in (BatchState.SUCCEEDED, BatchState.FAILED)


@dataclass(frozen=True)
class BatchClaim:
    """A worker's right to write about a batch prediction, good until its lease runs out or is claimed anew."""

    batch: BatchPrediction
    worker: str

    @property
    def job_id(self) -> str:
        """What the lease is about, and listened for: here the batch prediction itself."""
        return self.batch.id

    @property
    def attempt(self) -> int:
        return self.batch.attempt


@dataclass(frozen=True)
class BatchResult:
    """A result's file that is safe on disk."""

    file: str
    sha256: str
    bytes: int
