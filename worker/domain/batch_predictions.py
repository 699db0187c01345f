"""A batch prediction: a whole dataset predicted by a worker, with a version of a registered model, into a file."""

from dataclasses import dataclass
from datetime import datetime

from engine.answer_files import AnswerFormat
from worker.domain.work_items import Failure, Status


@dataclass(frozen=True)
class BatchPrediction:
    """A batch prediction as the store knows it at one moment; times are UTC."""

    id: str
    name: str  # of the model
    version: int
    dataset_id: str
    reference: str  # what the request called the dataset
    format: AnswerFormat
    keep: tuple[str, ...]  # columns of the dataset that go into the result
    threshold: float | None  # of the decision
    state: Status
    rows: int
    rows_done: int
    file: str | None  # the result, relative to the artifacts' root
    sha256: str | None
    bytes: int | None
    error: Failure | None
    attempt: int  # claims so far; the fencing token
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def done(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.state.terminal
