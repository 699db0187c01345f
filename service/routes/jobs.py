"""Jobs: from the spec to the result."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Body, Query, Response

from engine import JobSpec
from service.bodies import StrictRoute, strict
from service.dependencies import After, JobId, Limit, WatchersDep, YardDep
from service.idempotency import OnceDep
from service.problems import documented
from service.views import JobView, Listing, Validated
from service.watching import settled
from worker.jobs import Status

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=StrictRoute)

EXAMPLES = {
    "smallest": {
        "summary": "The smallest job",
        "description": "Softmax regression on handwritten digits; every other field has a default.",
        "value": {"data": {"train": "digits", "target": "label"}},
    },
    "network": {
        "summary": "A network with batch norm and dropout",
        "value": {
            "name": "digits",
            "data": {"train": "digits", "target": "label"},
            "layers": [
                {"type": "dense", "units": 64},
                {"type": "batch_norm"},
                {"type": "relu"},
                {"type": "dropout", "keep_prob": 0.8},
            ],
            "optimizer": {"type": "adam", "learning_rate": 0.001},
            "training": {"epochs": 20, "batch_size": 64},
        },
    },
}

Spec = Annotated[JobSpec, strict(JobSpec), Body(openapi_examples=EXAMPLES)]


@router.post(
    "",
    status_code=201,
    response_model=JobView,
    responses={
        200: {"model": Validated, "description": "With `validate_only`"},
        **documented(400, 409, 413, 415, 422, 507),
    },
)
def submit_job(
    spec: Spec,
    response: Response,
    yard: YardDep,
    once: OnceDep,
    validate_only: Annotated[bool, Query(description="say what the job would be and cost, and queue nothing")] = False,
) -> JobView | Response:
    """Queue a training job. It is saved when the answer comes, whatever happens to the queue."""
    if validate_only:
        return Response(Validated.of(yard.outline(spec)).model_dump_json(), media_type="application/json")
    job = yard.submit(spec, once)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return JobView.of(job)


@router.get("", responses=documented(422))
def list_jobs(
    yard: YardDep,
    limit: Limit = 20,
    after: After = None,
    state: Annotated[Status | None, Query(description="only jobs in this state")] = None,
) -> Listing[JobView]:
    """List jobs, newest first."""
    return Listing[JobView].of(yard.jobs(limit=limit, after=after, state=state), JobView.of)


@router.get("/{job_id}", responses=documented(404, 422))
async def get_job(
    job_id: JobId,
    yard: YardDep,
    watchers: WatchersDep,
    wait: Annotated[
        float,
        Query(ge=0, allow_inf_nan=False, description="answer when the job is done, or after so many seconds"),
    ] = 0,
) -> JobView:
    """A job as it stands, or, with `wait`, as it ends; TRAINSHED_MAX_WAIT_SECONDS caps the wait."""
    return JobView.of(await settled(yard, watchers, job_id, wait, partial(yard.job, job_id)))
