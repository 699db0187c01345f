"""Jobs: from the spec to the result."""

from asyncio import wrap_future
from functools import partial
from typing import Annotated

from fastapi import Body, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from engine import JobSpec
from service.dependencies import After, BackendDep, JobId, JobListsDep, Limit, WatchersDep
from service.http.csv_answers import TABLE, CsvWanted, table
from service.http.fields import Selection, fields_of, paths_of
from service.http.idempotency import KeyedDep
from service.http.listing import Listing
from service.http.long_polls import wait_until_done
from service.http.problems import documented
from service.http.request_bodies import Strict
from service.http.routing import StrictRouter
from service.views.jobs import JobView
from service.views.result import MEASURED, ResultView
from service.views.specs import Validated
from worker.domain.work_items import Status

router = StrictRouter("/v1/jobs", "jobs")

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

JobFields = Annotated[Selection, Depends(fields_of(JobView, spec=JobSpec, result=ResultView))]

COLUMNS = paths_of(
    *("id", "name", "state", "done", "stage", "epoch", "epochs", "progress.fraction", "progress.eta_seconds"),
    *("attempt", "pending", "stop_reason", "waiting_reason", "error.code", "error.message", "warnings", "queue"),
    *("priority", "seed", "data_hash", "revision", "rerun_of", "created_at", "updated_at", "started_at"),
    *("finished_at", "spent_seconds", *MEASURED),
)
"""What a list of jobs has as CSV, unless fields are named: whatever is one value, and none of the spec."""

Spec = Annotated[Strict[JobSpec], Body(openapi_examples=EXAMPLES)]


@router.post(
    "",
    status_code=201,
    response_model=JobView,
    responses={
        200: {"model": Validated, "description": "With `validate_only`"},
        **documented(400, 409, 413, 415, 422, 507),
    },
)
async def submit_job(
    spec: Spec,
    backend: BackendDep,
    keyed: KeyedDep,
    validate_only: Annotated[bool, Query(description="say what the job would be and cost, and queue nothing")] = False,
) -> Response:
    """Queue a training job. It is saved when the answer comes, whatever happens to the queue."""
    if validate_only:
        outline = await run_in_threadpool(backend.jobs.outline, spec)
        return Response(Validated.of(outline).model_dump_json(), media_type="application/json")
    job = await wrap_future(backend.jobs.submit_soon(spec, keyed))
    location = {"Location": f"/v1/jobs/{job.id}"}
    return Response(JobView.of(job).model_dump_json(), 201, location, "application/json")


@router.get("", response_model=Listing[JobView], responses={**TABLE, **documented(422)})
def list_jobs(
    request: Request,
    backend: BackendDep,
    lists: JobListsDep,
    fields: JobFields,
    as_csv: CsvWanted,
    limit: Limit = 20,
    after: After = None,
    state: Annotated[Status | None, Query(description="only jobs in this state")] = None,
) -> Response:
    """List jobs, newest first; as CSV a row a job, under the fields that are asked for or those that are one value.

    The columns of CSV are named like `fields`: `result.test.accuracy`. A name that begins with `=`, `+`, `-` or `@` is
    a formula to a spreadsheet: import such a file as text.
    """
    page = lists.page(backend, limit=limit, after=after, state=state)
    if as_csv:
        return table(page.document(), fields.paths or COLUMNS, request)
    return Response(
        fields.select_entries(page.document()) if fields.paths else page.json(), media_type="application/json"
    )


@router.get("/{job_id}", response_model=JobView, responses=documented(404, 422))
async def get_job(
    job_id: JobId,
    backend: BackendDep,
    watchers: WatchersDep,
    fields: JobFields,
    wait: Annotated[
        float,
        Query(ge=0, allow_inf_nan=False, description="answer when the job is done, or after so many seconds"),
    ] = 0,
) -> JobView | Response:
    """A job as it stands, or, with `wait`, as it ends; TRAINSHED_MAX_WAIT_SECONDS caps the wait."""
    return fields.answer(
        JobView.of(await wait_until_done(backend, watchers, job_id, wait, partial(backend.jobs.get, job_id)))
    )
