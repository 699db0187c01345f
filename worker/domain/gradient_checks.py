"""A gradient check as a resource: asked for over HTTP, or written down by a job where its spec wants one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import JsonValue

from worker.domain.jobs import Job
from worker.domain.work_items import Failure, Status
from worker.errors import MomentMissing, MomentNotKept

if TYPE_CHECKING:
    from engine.spec import Moment


@dataclass(frozen=True)
class GradientCheck:
    """A check as the store knows it at one moment; times are UTC."""

    job_id: str
    number: int  # within the job, from 1
    item_id: str | None  # of the work item; None: the job's own spec wanted it
    state: Status
    requested: Mapping[str, JsonValue] | None  # a GradientCheckSpec, where somebody asked for the check
    report: Mapping[str, JsonValue] | None
    error: Failure | None
    attempt: int  # claims so far; the fencing token
    created_by: str
    created_at: datetime
    finished_at: datetime | None

    @property
    def done(self) -> bool:
        """Whether nothing can happen to the check any more."""
        return self.state.terminal


def refuse_unless_kept(job: Job, at: "Moment") -> None:
    """Raise unless the job's parameters of that moment can still be had.

    Those of the start are drawn again; of the others a job keeps one set, and only once it has succeeded.
    """
    if at == "start":
        return
    if job.state is not Status.SUCCEEDED:
        raise MomentMissing(job.id, job.state, at)
    kept = (job.result or {}).get("epoch")
    if at not in ("end", kept):
        raise MomentNotKept(job.id, at, kept if isinstance(kept, int) else None)
