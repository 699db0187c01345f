"""The prediction of a whole dataset."""

from typing import Literal, TypedDict

from trainshed.client.types.failure import Failure
from trainshed.client.types.job import State


class BatchPrediction(TypedDict):
    """A batch prediction at one moment."""

    id: str
    model: str
    version: int
    dataset: str
    reference: str
    format: Literal["csv", "parquet"]
    keep: list[str]
    threshold: float | None
    state: State
    done: bool
    rows: int
    rows_done: int
    bytes: int | None
    sha256: str | None
    error: Failure | None
    created_by: str
    created_at: str
    started_at: str | None
    finished_at: str | None
