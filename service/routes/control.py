"""Steering a job while it lives, and taking it up again."""

from typing import Annotated

from fastapi import Body, Response
from pydantic import BaseModel, ConfigDict, Field

from service.dependencies import BackendDep, JobId
from service.http.idempotency import KeyedDep
from service.http.listing import Listing
from service.http.problems import documented
from service.http.request_bodies import Strict
from service.http.routing import StrictRouter
from service.views.checkpoints import CheckpointView
from service.views.events import TimelineView
from service.views.jobs import JobView
from worker.domain.paging import Page

router = StrictRouter("/v1/jobs/{job_id}", "control")


class Resumption(BaseModel):
    """Where to go on."""

    model_config = ConfigDict(extra="forbid")

    checkpoint: int | None = Field(
        None,
        ge=1,
        le=2**31 - 1,
        description="an older checkpoint than the newest: what the job became behind it is forgotten, and changes of "
        "its hyper-parameters since are undone",
    )


NEWEST = Resumption()  # where a request has no body


@router.post("/pause", status_code=202, responses=documented(404, 409, 422, 507))
def pause_job(job_id: JobId, backend: BackendDep) -> JobView:
    """Let the job rest: at once while it is queued, else once its worker has saved it (`pending` until then)."""
    return JobView.of(backend.jobs.pause(job_id))


@router.post("/resume", status_code=202, responses=documented(400, 404, 409, 413, 415, 422, 507))
def resume_job(job_id: JobId, backend: BackendDep, wanted: Annotated[Strict[Resumption], Body()] = NEWEST) -> JobView:
    """Queue a paused job again; from its newest checkpoint, or from an older one."""
    return JobView.of(backend.jobs.resume(job_id, wanted.checkpoint))


@router.post("/stop", status_code=202, responses=documented(404, 409, 422, 507))
def stop_job(job_id: JobId, backend: BackendDep) -> JobView:
    """End the training here and keep the best model so far: the job succeeds with `stopped_by_user`."""
    return JobView.of(backend.jobs.stop(job_id))


@router.post("/cancel", status_code=202, responses=documented(404, 409, 422, 507))
def cancel_job(job_id: JobId, backend: BackendDep) -> JobView:
    """End the job and keep no model: at once unless it is running, else at the worker's next look (`pending`)."""
    return JobView.of(backend.jobs.cancel(job_id))


@router.post("/rerun", status_code=201, responses=documented(404, 409, 422, 507))
def rerun_job(job_id: JobId, response: Response, backend: BackendDep, keyed: KeyedDep) -> JobView:
    """Queue the job once more: same spec, seed, data and changes; its result says whether it `reproduces` this one."""
    job = backend.jobs.rerun(job_id, keyed)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return JobView.of(job)


@router.delete("", status_code=204, responses=documented(404, 409, 422, 507))
def delete_job(job_id: JobId, backend: BackendDep) -> None:
    """Delete a job that is done, with its measurements, checkpoints and model."""
    backend.jobs.delete(job_id)


@router.get("/checkpoints", responses=documented(404, 422))
def list_checkpoints(job_id: JobId, backend: BackendDep) -> Listing[CheckpointView]:
    """Where the job can go on, oldest first: the newest two, the best, and those before a change."""
    return Listing[CheckpointView].of(Page(backend.jobs.checkpoints(job_id), has_more=False))


@router.get("/timeline", responses=documented(404, 422))
def get_timeline(job_id: JobId, backend: BackendDep) -> TimelineView:
    """The job's states and how long they took, and what was asked of it."""
    return TimelineView.of(backend.jobs.get(job_id), backend.jobs.marks(job_id))
