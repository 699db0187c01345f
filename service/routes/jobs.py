"""Jobs: from the spec to the result."""

from asyncio import wrap_future
from functools import partial
from typing import Annotated

from fastapi import Body, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import Field

from engine import JobSpec
from service.dependencies import JobId, job_lists_of, watchers_of
from service.http.csv_answers import TABLE, Format, table, wants_csv
from service.http.fields import Fields, fields_reader, paths_of
from service.http.idempotency import KeyedDep
from service.http.listing import Listing
from service.http.long_polls import wait_until_done
from service.http.plain_route import PlainRoute, QueryModel
from service.http.problems import documented
from service.http.request_bodies import Strict
from service.http.routing import StrictRouter
from service.http.workspace import backend_of
from service.views.jobs import JobView
from service.views.result import MEASURED, ResultView
from service.views.specs import Validated
from worker.domain.work_items import Status

router = StrictRouter("/v1/jobs", "jobs", PlainRoute)

JSON = "application/json"

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

select_fields = fields_reader(JobView, spec=JobSpec, result=ResultView)

COLUMNS = paths_of(
    *("id", "name", "state", "done", "stage", "epoch", "epochs", "progress.fraction", "progress.eta_seconds"),
    *("attempt", "pending", "stop_reason", "waiting_reason", "error.code", "error.message", "warnings", "queue"),
    *("priority", "seed", "data_hash", "revision", "rerun_of", "created_at", "updated_at", "started_at"),
    *("finished_at", "spent_seconds", *MEASURED),
)
"""What a list of jobs has as CSV, unless fields are named: whatever is one value, and none of the spec."""

Spec = Annotated[Strict[JobSpec], Body(openapi_examples=EXAMPLES)]


class SubmitQuery(QueryModel):
    """What a submission is for."""

    validate_only: bool = Field(False, description="say what the job would be and cost, and queue nothing")


class ListQuery(QueryModel):
    """Which jobs, and what of them."""

    limit: int = Field(20, description="entries of the page", ge=1)
    after: str | None = Field(None, description="id of the last entry of the page before", max_length=64)
    state: Status | None = Field(None, description="only jobs in this state")
    fields: Fields = None
    format: Format = None


class JobQuery(QueryModel):
    """When to answer, and what of the job."""

    wait: float = Field(
        0, ge=0, allow_inf_nan=False, description="answer when the job is done, or after so many seconds"
    )
    fields: Fields = None


@router.post(
    "",
    status_code=201,
    response_model=JobView,
    responses={
        200: {"model": Validated, "description": "With `validate_only`"},
        **documented(400, 409, 413, 415, 422, 507),
    },
)
async def submit_job(request: Request, spec: Spec, keyed: KeyedDep, query: Annotated[SubmitQuery, Query()]) -> Response:
    """Queue a training job. It is saved when the answer comes, whatever happens to the queue."""
    backend = backend_of(request)
    if query.validate_only:
        outline = await run_in_threadpool(backend.jobs.outline, spec)
        return Response(Validated.of(outline).model_dump_json(), media_type=JSON)
    job = await wrap_future(backend.jobs.submit_soon(spec, keyed))
    return Response(JobView.of(job).model_dump_json(), 201, {"Location": f"/v1/jobs/{job.id}"}, JSON)


@router.get("", response_model=Listing[JobView], responses={**TABLE, **documented(422)})
async def list_jobs(request: Request, query: Annotated[ListQuery, Query()]) -> Response:
    """List jobs, newest first; as CSV a row a job, under the fields that are asked for or those that are one value.

    The columns of CSV are named like `fields`: `result.test.accuracy`. A name that begins with `=`, `+`, `-` or `@` is
    a formula to a spreadsheet: import such a file as text.
    """
    response = await run_in_threadpool(listed, request, query)
    response.headers.add_vary_header("Accept")
    return response


def listed(request: Request, query: ListQuery) -> Response:
    """The page that is asked for, in its form."""
    fields = select_fields(query.fields)
    page = job_lists_of(request).page(backend_of(request), limit=query.limit, after=query.after, state=query.state)
    if wants_csv(query.format, request.headers.get("accept", "")):
        return table(page.document(), fields.paths or COLUMNS, request)
    return Response(fields.select_entries(page.document()) if fields.paths else page.json(), media_type=JSON)


@router.get("/{job_id}", response_model=JobView, responses=documented(404, 422))
async def get_job(request: Request, job_id: JobId, query: Annotated[JobQuery, Query()]) -> Response:
    """A job as it stands, or, with `wait`, as it ends; TRAINSHED_MAX_WAIT_SECONDS caps the wait."""
    backend, fields = backend_of(request), select_fields(query.fields)
    read = partial(backend.jobs.get, job_id)
    job = JobView.of(await wait_until_done(backend, watchers_of(request), job_id, query.wait, read))
    return Response(fields.select(job) if fields.paths else job.model_dump_json(), media_type=JSON)
