"""What the service says of a training job.

NaN and infinity become null on the way to JSON; times are RFC 3339 in UTC.
"""

from datetime import datetime

from pydantic import Field, ValidationInfo, field_validator

from service.views.failures import FailureView
from service.views.view import Object, SpecObject, View
from worker.domain.jobs import Job, Milestone, Progress, Stage
from worker.domain.work_items import Control, Status


class MilestoneView(View[Milestone]):
    """A state that the job entered."""

    state: Status
    at: datetime
    attempt: int
    reason: str | None


class ProgressView(View[Progress]):
    """How far a training is, as its worker last said."""

    epoch: int = Field(description="epochs finished")
    epochs: int
    step: int = Field(description="mini-batches so far, of the whole run")
    steps: int
    fraction: float = Field(description="step / steps")
    examples_per_second: float | None
    eta_seconds: float | None = Field(description="until the last step")
    eta_at_most: bool = Field(validation_alias="at_most", description="early stopping may end the run sooner")
    epochs_since_best: int | None
    patience: int | None = Field(description="epochs without an improvement that early stopping bears")


class JobView(View[Job]):
    """A training job."""

    id: str = Field(examples=["job_0198f3c5a2b87c1d9e4f5a6b7c8d9e0f"])
    name: str | None
    state: Status
    done: bool = Field(description="nothing can happen to the job any more")
    stage: Stage = Field(description="what a running job is busy with")
    epoch: int = Field(description="epochs finished")
    epochs: int = Field(description="epochs asked for")
    progress: ProgressView | None = Field(description="null until a worker has trained a little")
    attempt: int = Field(description="workers that have taken the job so far")
    pending: Control | None = Field(description="asked for, and not yet confirmed by the worker")
    stop_reason: str | None = Field(description="why the training ended", examples=["completed", "early_stopping"])
    waiting_reason: str | None = Field(
        description="why a job that is queued or paused does not train",
        examples=["workers_busy", "no_capable_worker", "paused"],
    )
    queue_position: int | None = Field(
        description="1 is next; null in lists, where a job is not queued, and behind a thousand others"
    )
    error: FailureView | None
    result: Object | None = Field(
        description="metrics per part, measured on the model that is kept; of a rerun also `reproduces`: whether its "
        "weights are those of the job that it repeats"
    )
    warnings: int = Field(description="warnings among the events")
    queue: str
    priority: int = Field(description="9 is claimed first, 0 last")
    seed: int
    data_hash: str = Field(description="of all data the job reads")
    revision: int = Field(description="newest change of the hyper-parameters; 0: as submitted")
    rerun_of: str | None = Field(description="the job that this one repeats")
    environment: Object | None = Field(description="where it trains: kernels, threads, versions")
    created_by: str = Field(description="the principal that made it")
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    spent_seconds: float = Field(description="of workers, in attempts that are over")
    timeline: list[MilestoneView]
    spec: SpecObject = Field(description="the job as it was asked for, every default filled in")

    @field_validator("progress", mode="before")
    @classmethod
    def complete(cls, progress: Progress | None, info: ValidationInfo) -> dict[str, object] | None:
        """What a worker said last, and what the job itself says of it."""
        if progress is None:
            return None
        job = info.data
        return {
            **vars(progress),
            "epoch": job["epoch"],
            "epochs": job["epochs"],
            "fraction": progress.fraction,
            "eta_seconds": None if job["done"] else progress.eta_seconds,
        }
