"""A job's progress: metrics, events, gradient checks."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import chain
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.responses import Response, StreamingResponse

from engine.diagnosis import Diagnosis
from service import streams
from service.bodies import StrictRoute
from service.dependencies import ExistingJob, FreeWatchers, JobId, Limit, YardDep
from service.problems import documented
from service.views import EventView, LayersMeasuredView, Listing, MetricsPage
from worker.records import MetricsRow

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["progress"], route_class=StrictRoute)

Sequence = Annotated[int, Query(ge=0, le=2**63 - 1, description="`seq` of the last event that is known")]


@router.get(
    "/metrics",
    response_model=MetricsPage,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}, **documented(404, 422)},
)
def get_metrics(
    job: ExistingJob,
    yard: YardDep,
    limit: Limit = 1000,
    after: Annotated[int | None, Query(ge=0, le=2**63 - 1, description="the last epoch that is known")] = None,
    max_points: Annotated[
        int | None, Query(ge=1, description="thin the rows out to so many, keeping minima and maxima")
    ] = None,
    smoothing: Annotated[
        float | None,
        Query(
            ge=0,
            lt=1,
            allow_inf_nan=False,
            description="β of a bias-corrected exponentially weighted average, shown as `…_cost_smoothed` beside every "
            "cost; 0.9 averages over about 10 epochs",
        ),
    ] = None,
    format: Annotated[Literal["json", "csv"] | None, Query(description="overrides the Accept header")] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response | MetricsPage:
    """The learning curve: a page of rows as JSON, or every row as CSV."""
    if format == "csv" or (format is None and "text/csv" in accept and "json" not in accept):
        return StreamingResponse(csv_lines(yard.metric_rows(job.id, smoothing=smoothing)), media_type="text/csv")
    return MetricsPage.of(yard.metrics(job.id, after=after, limit=limit, max_points=max_points, smoothing=smoothing))


@router.get("/events", responses=documented(404, 422))
def list_events(job_id: JobId, yard: YardDep, limit: Limit = 100, after: Sequence = 0) -> Listing[EventView]:
    """What happened to the job, oldest first."""
    return Listing[EventView].of(yard.events(job_id, after=after, limit=limit), EventView.of)


@router.get(
    "/stream",
    response_class=EventSourceResponse,
    responses={
        200: {"description": "Events until `done`; `id` is the event's `seq`"},
        **documented(404, 422),
    },
)
async def stream_events(
    job: ExistingJob,
    yard: YardDep,
    watchers: FreeWatchers,
    after: Sequence = 0,
    last_event_id: Annotated[
        int | None,
        Header(ge=0, le=2**63 - 1, description="sent by a client that comes back; overrides `after`"),
    ] = None,
) -> AsyncIterator[ServerSentEvent]:
    """What happens to the job, as it happens (Server-Sent Events); the last event is `done` with the job."""
    async for event in streams.events(yard, watchers, job.id, after if last_event_id is None else last_event_id):
        yield event


@router.get("/layers", responses=documented(404, 422))
def list_layers(job_id: JobId, yard: YardDep, limit: Limit = 100, after: Sequence = 0) -> Listing[LayersMeasuredView]:
    """Gradients, weights, dead and saturated units of every layer, by epoch; `after` is the last epoch known."""
    return Listing[LayersMeasuredView].of(yard.layers(job_id, after=after, limit=limit), LayersMeasuredView.of)


@router.get("/diagnosis", responses=documented(404, 409, 422))
def get_diagnosis(job_id: JobId, yard: YardDep) -> Diagnosis:
    """Bias or variance: the verdict on a finished job, its evidence, and the next jobs to try, best first."""
    return yard.diagnosis(job_id)


def csv_lines(rows: Iterable[MetricsRow]) -> Iterator[str]:
    """RFC 4180; the columns are the first row's, a number that was not finite is an empty cell."""
    waiting = iter(rows)
    first = next(waiting, None)
    if first is None:
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, list(first), restval="", extrasaction="ignore")
    writer.writeheader()
    for row in chain([first], waiting):
        writer.writerow(row)
        if text.tell() > 64 * 1024:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()
