"""What the service says of what happened to a job."""

from collections.abc import Sequence
from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from service.views.view import Object, View
from worker.domain.events import Event
from worker.domain.jobs import Job, Period
from worker.domain.work_items import Status


class EventView(View[Event]):
    """Something that happened to a job."""

    seq: int = Field(description="counts from 1 without a gap")
    type: str
    at: datetime
    attempt: int
    data: Object


class PeriodView(View[Period]):
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
        """Of a job, and of its events that are worth a mark."""
        return cls.model_validate({"data": job.periods, "marks": marks})
