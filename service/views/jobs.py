"""What the service answers with: every field that leaves the house is listed here.

NaN and infinity become null on the way to JSON; times are RFC 3339 in UTC.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import BaseModel, Field, WithJsonSchema

from engine import JobSpec
from engine.cost_estimate import CostEstimate
from engine.presets import Preset
from worker.domain.gradient_checks import GradientCheck
from worker.domain.jobs import Job, Milestone, Progress, Stage
from worker.domain.records import (
    Condition,
    DatedRow,
    Event,
    LayersMeasured,
    Page,
)
from worker.domain.work_items import Control, Failure, Status
from worker.jobs.submission import Outline

Object = Annotated[Any, WithJsonSchema({"type": "object", "additionalProperties": True})]
"""A JSON object, valid since it was stored: looking through it again would take longer than all the rest."""
SpecObject = Annotated[
    Any, WithJsonSchema({"type": "object", "additionalProperties": True, "x-model": JobSpec.__name__})
]
"""The same for one that is a whole spec: the OpenAPI document refers to that model."""
View = TypeVar("View")
Record = TypeVar("Record")


class FailureView(BaseModel):
    """Why a job failed."""

    code: str = Field(description="the kind of failure as one word", examples=["diverged"])
    message: str
    param: str | None = Field(description="JSON pointer to the field of the spec to change, if it is one")
    hint: str | None

    @classmethod
    def of(cls, failure: Failure) -> Self:
        return cls(code=failure.code, message=failure.message, param=failure.param, hint=failure.hint)


class MilestoneView(BaseModel):
    """A state that the job entered."""

    state: Status
    at: datetime
    attempt: int
    reason: str | None

    @classmethod
    def of(cls, milestone: Milestone) -> Self:
        return cls(state=milestone.state, at=milestone.at, attempt=milestone.attempt, reason=milestone.reason)


class ProgressView(BaseModel):
    """How far a training is, as its worker last said."""

    epoch: int = Field(description="epochs finished")
    epochs: int
    step: int = Field(description="mini-batches so far, of the whole run")
    steps: int
    fraction: float = Field(description="step / steps")
    examples_per_second: float | None
    eta_seconds: float | None = Field(description="until the last step")
    eta_at_most: bool = Field(description="early stopping may end the run sooner")
    epochs_since_best: int | None
    patience: int | None = Field(description="epochs without an improvement that early stopping bears")

    @classmethod
    def of(cls, job: Job, progress: Progress) -> Self:
        return cls(
            epoch=job.epoch,
            epochs=job.epochs,
            step=progress.step,
            steps=progress.steps,
            fraction=min(1.0, progress.step / max(1, progress.steps)),
            examples_per_second=progress.examples_per_second,
            eta_seconds=None if job.done else progress.eta_seconds,
            eta_at_most=progress.at_most,
            epochs_since_best=progress.epochs_since_best,
            patience=progress.patience,
        )


class JobView(BaseModel):
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
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    spent_seconds: float = Field(description="of workers, in attempts that are over")
    timeline: list[MilestoneView]
    spec: SpecObject = Field(description="the job as it was asked for, every default filled in")

    @classmethod
    def of(cls, job: Job) -> Self:
        return cls(
            id=job.id,
            name=job.name,
            state=job.state,
            done=job.done,
            stage=job.stage,
            epoch=job.epoch,
            epochs=job.epochs,
            progress=None if job.progress is None else ProgressView.of(job, job.progress),
            attempt=job.attempt,
            pending=job.pending,
            stop_reason=job.stop_reason,
            waiting_reason=job.waiting_reason,
            queue_position=job.queue_position,
            error=None if job.error is None else FailureView.of(job.error),
            result=job.result,
            warnings=job.warnings,
            queue=job.queue,
            priority=job.priority,
            seed=job.seed,
            data_hash=job.data_hash,
            revision=job.revision,
            rerun_of=job.rerun_of,
            environment=job.environment,
            created_at=job.created_at,
            updated_at=job.updated_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
            spent_seconds=job.spent_seconds,
            timeline=[MilestoneView.of(milestone) for milestone in job.timeline],
            spec=job.spec,
        )


class EventView(BaseModel):
    """Something that happened to a job."""

    seq: int = Field(description="counts from 1 without a gap")
    type: str
    at: datetime
    attempt: int
    data: Object

    @classmethod
    def of(cls, event: Event) -> Self:
        return cls(seq=event.seq, type=event.type, at=event.at, attempt=event.attempt, data=event.data)


class Listing(BaseModel, Generic[View]):
    """A page of a list."""

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """What clients call it: JobList, DatasetList."""
        return f"{params[0].__name__.removesuffix('View')}List"

    data: list[View]
    has_more: bool = Field(description="there are more: ask again with `after` = the key of the last entry")

    @classmethod
    def of(cls, page: Page[Record], view: Callable[[Record], View]) -> Self:
        return cls(data=[view(record) for record in page.data], has_more=page.has_more)


METRICS_ROW = {
    "epoch": 1,
    "step": 17,
    "learning_rate": 0.001,
    "train_cost": 1.93,
    "dev_cost": 1.21,
    "seconds": 0.05,
    "at": "2026-03-01T12:00:00.250Z",
}


class MetricsPage(BaseModel):
    """Flat rows, one per epoch."""

    data: list[DatedRow] = Field(
        description="`at`: when the epoch ended; null stands for a number that was not finite",
        examples=[[METRICS_ROW]],
    )
    has_more: bool = Field(description="there are more: ask again with `after` = the last row's epoch")

    @classmethod
    def of(cls, page: Page[DatedRow]) -> Self:
        return cls(data=list(page.data), has_more=page.has_more)


class GradientCheckView(BaseModel):
    """A comparison of backpropagation with finite differences."""

    number: int = Field(description="counts a job's checks from 1")
    state: Status
    requested: Object | None = Field(description="what was asked for; null for a check that the job's spec wants")
    report: Object | None = Field(description="`at`, `difference`, `verdict`, `tensors` with the same, `worst`, …")
    error: FailureView | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, check: GradientCheck) -> Self:
        return cls(
            number=check.number,
            state=check.state,
            requested=check.requested,
            report=check.report,
            error=None if check.error is None else FailureView.of(check.error),
            created_at=check.created_at,
            finished_at=check.finished_at,
        )


class LayersMeasuredView(BaseModel):
    """How every dense layer did in the last batch of an epoch."""

    epoch: int
    layers: list[Object] = Field(
        description="per dense layer, the first being 1: `weight_norm`, `gradient_norm`, `update_ratio` (about 1e-3 is "
        "healthy), `signal` (root mean square of m·∂J/∂Z), `dead_share`, `saturated_share`, `symmetric`"
    )

    @classmethod
    def of(cls, measured: LayersMeasured) -> Self:
        return cls(epoch=measured.epoch, layers=list(measured.layers))


class PresetView(BaseModel):
    """A job of the gallery."""

    name: str
    title: str
    look_at: str = Field(description="what there is to see")
    spec: SpecObject = Field(description="ready to be sent to `POST /v1/jobs`")

    @classmethod
    def of(cls, preset: Preset) -> Self:
        return cls.model_validate(preset.to_json())


class Presets(BaseModel):
    """The gallery, in the order a course would show it."""

    data: list[PresetView]


class Validated(BaseModel):
    """What a spec would become as a job."""

    spec: SpecObject = Field(description="the spec with every default filled in and loss, layers and `keep` resolved")
    queue: str
    cost: CostEstimate

    @classmethod
    def of(cls, outline: Outline) -> Self:
        return cls(spec=outline.spec.model_dump(mode="json"), queue=outline.queue, cost=outline.cost)


class Predictions(BaseModel):
    """A prediction per row, in the rows' order."""

    predictions: list[Object] = Field(
        examples=[[{"label": 3, "probabilities": {"3": 0.98, "8": 0.02}}]],
        description="`label` and `probabilities` for classes, `value` for numbers",
    )

    @classmethod
    def of(cls, predictions: Sequence[Mapping[str, object]]) -> Self:
        return cls.model_validate({"predictions": predictions})


class ConditionView(BaseModel):
    """Something that the service leans on."""

    ok: bool
    kind: str = Field(examples=["sqlite"])
    detail: str

    @classmethod
    def of(cls, condition: Condition) -> Self:
        return cls(ok=condition.ok, kind=condition.kind, detail=condition.detail)


class Alive(BaseModel):
    """The process answers."""

    alive: bool = True


class Ready(BaseModel):
    """Everything that the service leans on works."""

    ready: bool
    parts: Mapping[str, ConditionView]

    @classmethod
    def of(cls, health: Mapping[str, Condition]) -> Self:
        parts = {name: ConditionView.of(condition) for name, condition in health.items()}
        return cls(ready=all(part.ok for part in parts.values()), parts=parts)


class ServiceIndex(BaseModel):
    """Where things are."""

    name: str = "trainshed"
    version: str
    docs: str = "/docs"
    openapi: str = "/openapi.json"
    jobs: str = "/v1/jobs"
    datasets: str = "/v1/datasets"
    parameters: str = "/v1/parameters"
    ready: str = "/health/ready"

    @classmethod
    def at(cls, root_path: str, version: str) -> "ServiceIndex":
        """The same behind a proxy that shows the API under a path of its own."""
        paths = {
            name: root_path + field.default
            for name, field in cls.model_fields.items()
            if name not in ("name", "version")
        }
        return cls(version=version, **paths)
