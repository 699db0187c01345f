"""What the service answers about jobs that are steered and compared, and about who trains them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field, JsonValue

from engine import JobSpec
from engine.hyperparameters import may_change
from service.views.jobs import EventView, Object, SpecObject
from worker.domain.jobs import Checkpoint, CheckpointKind, Job, Revision
from worker.domain.records import Event, WorkerRecord
from worker.domain.work_items import Status
from worker.jobs.comparison import Comparison
from worker.jobs.hyperparameters import Hyperparameters


class CheckpointView(BaseModel):
    """A place where a job can go on."""

    number: int = Field(description="within the job, from 1; for `start_from` and `resume`")
    epoch: int = Field(description="epochs finished")
    step: int
    kind: CheckpointKind = Field(
        description="best: the best model so far; periodic: time had passed; control: before a pause or a change"
    )
    revision: int = Field(description="of the hyper-parameters, in force")
    bytes: int
    sha256: str
    metrics: Object
    created_at: datetime

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Self:
        return cls(
            number=checkpoint.number,
            epoch=checkpoint.epoch,
            step=checkpoint.step,
            kind=checkpoint.kind,
            revision=checkpoint.revision,
            bytes=checkpoint.bytes,
            sha256=checkpoint.sha256,
            metrics=checkpoint.metrics,
            created_at=checkpoint.created_at,
        )


class RevisionView(BaseModel):
    """A change of hyper-parameters."""

    number: int
    patch: Object = Field(description="as it was sent")
    before: Object = Field(
        description="value by JSON pointer into the spec", examples=[{"/optimizer/learning_rate": 0.1}]
    )
    after: Object
    note: str | None
    who: str | None
    created_at: datetime
    effective_epoch: int | None = Field(description="the first epoch that it holds for; null: not yet applied")
    checkpoint: int | None = Field(description="taken just before: resuming from it undoes the change")
    undone_at: datetime | None

    @classmethod
    def of(cls, revision: Revision) -> Self:
        return cls(
            number=revision.number,
            patch=revision.patch,
            before=revision.before,
            after=revision.after,
            note=revision.note,
            who=revision.who,
            created_at=revision.created_at,
            effective_epoch=revision.effective_epoch,
            checkpoint=revision.checkpoint,
            undone_at=revision.undone_at,
        )


class HyperparametersView(BaseModel):
    """What a job trains with, or will from its next epoch on, and how that came to be."""

    revision: int = Field(description="0: as submitted")
    values: Object = Field(
        description="every field that may change while the job trains, by JSON pointer into the spec",
        examples=[{"/optimizer/learning_rate": 0.001, "/training/epochs": 20}],
    )
    spec: SpecObject = Field(description="the whole spec with these values")
    data: list[RevisionView] = Field(description="every change, the first first")

    @classmethod
    def of(cls, known: Hyperparameters) -> Self:
        values = dict(_changeable("", JobSpec.model_validate(known.spec)))
        data = [RevisionView.of(revision) for revision in known.revisions]
        return cls(revision=known.revision, values=values, spec=known.spec, data=data)


class PeriodView(BaseModel):
    """A time that a job spent in one state."""

    state: Status
    at: datetime
    until: datetime | None = Field(description="null: it still is")
    seconds: float | None
    attempt: int
    reason: str | None


class TimelineView(BaseModel):
    """A job's life: its states, how long they took, and what was asked of it."""

    data: list[PeriodView]
    marks: list[EventView] = Field(description="requests, changes, checkpoints, resumptions; the first thousand")

    @classmethod
    def of(cls, job: Job, marks: Sequence[Event]) -> Self:
        ends = [later.at for later in job.timeline[1:]] + [None]
        data = [
            PeriodView(
                state=entry.state,
                at=entry.at,
                until=until,
                seconds=None if until is None else (until - entry.at).total_seconds(),
                attempt=entry.attempt,
                reason=entry.reason,
            )
            for entry, until in zip(job.timeline, ends, strict=True)
        ]
        return cls(data=data, marks=[EventView.of(mark) for mark in marks])


class WorkerView(BaseModel):
    """A process that trains jobs, one at a time."""

    id: str
    host: str
    pid: int
    queues: list[str]
    device: str | None
    memory_bytes: int | None = Field(description="held by the process")
    threads: int | None = Field(description="that one job computes with")
    job: str | None = Field(description="what it is busy with")
    started_at: datetime
    seen_at: datetime

    @classmethod
    def of(cls, worker: WorkerRecord) -> Self:
        return cls(
            id=worker.id,
            host=worker.host,
            pid=worker.pid,
            queues=list(worker.queues),
            device=worker.device,
            memory_bytes=worker.memory_bytes,
            threads=worker.threads,
            job=worker.job_id,
            started_at=worker.started_at,
            seen_at=worker.seen_at,
        )


class ComparedJob(BaseModel):
    """A job among those that are compared."""

    id: str
    name: str | None
    state: Status
    epoch: int
    revision: int
    data_hash: str
    stop_reason: str | None
    result: Object | None


class DifferenceView(BaseModel):
    """A field in which the specs differ."""

    pointer: str
    values: list[JsonValue] = Field(description="one per job, in their order; null also where there is no such field")


class CurvesView(BaseModel):
    """The metrics of all jobs over the same epochs."""

    epochs: list[int] = Field(description="of long jobs every few ones")
    series: dict[str, list[list[float | None]]] = Field(
        description="by metric: for each job its values, one per epoch; null where it has none"
    )


class ComparisonView(BaseModel):
    """Jobs side by side."""

    jobs: list[ComparedJob]
    differences: list[DifferenceView]
    curves: CurvesView

    @classmethod
    def of(cls, comparison: Comparison) -> Self:
        return cls(
            jobs=[
                ComparedJob(
                    id=job.id,
                    name=job.name,
                    state=job.state,
                    epoch=job.epoch,
                    revision=job.revision,
                    data_hash=job.data_hash,
                    stop_reason=job.stop_reason,
                    result=job.result,
                )
                for job in comparison.jobs
            ],
            differences=[
                DifferenceView(pointer=difference.pointer, values=list(difference.values))
                for difference in comparison.differences
            ],
            curves=CurvesView(
                epochs=list(comparison.epochs),
                series={name: [list(values) for values in curve] for name, curve in comparison.curves.items()},
            ),
        )


def _changeable(pointer: str, value: object) -> list[tuple[str, JsonValue]]:
    """The fields that may change, with their values as JSON has them."""
    found: list[tuple[str, JsonValue]] = []
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            if may_change(field):
                found.append((f"{pointer}/{name}", value.model_dump(mode="json", include={name})[name]))
            else:
                found += _changeable(f"{pointer}/{name}", getattr(value, name))
    elif isinstance(value, tuple):
        for place, item in enumerate(value):
            found += _changeable(f"{pointer}/{place}", item)
    return found
