"""A job's progress: metrics, events, gradient checks."""

from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import chain
from typing import Annotated

from fastapi import Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.responses import Response, StreamingResponse

from engine.diagnosis import Diagnosis
from service import event_streams
from service.dependencies import BackendDep, ExistingJob, FreeWatchers, JobId, Limit
from service.http.csv_answers import CSV, TABLE, CsvWanted, csv_text, next_page
from service.http.listing import Listing
from service.http.problems import documented
from service.http.routing import StrictRouter
from service.views.events import EventView
from service.views.measurements import LayersMeasuredView, MetricsPage
from worker.domain.measurements import DatedRow

router = StrictRouter("/v1/jobs/{job_id}", "progress")

PAGE = 1000
ALWAYS = ("epoch", "step", "learning_rate", "train_cost", "seconds", "at")

Sequence = Annotated[int, Query(ge=0, le=2**63 - 1, description="`seq` of the last event that is known")]


@router.get(
    "/metrics",
    response_model=MetricsPage,
    responses={**TABLE, **documented(404, 422)},
)
def get_metrics(
    request: Request,
    job: ExistingJob,
    backend: BackendDep,
    as_csv: CsvWanted,
    limit: Annotated[
        int | None, Query(ge=1, description="rows of the page; by default 1000 of JSON, and all of CSV")
    ] = None,
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
) -> Response | MetricsPage:
    """The learning curve, a row an epoch: as CSV the rows that the same request has as JSON, and without `limit` all.

    `max_points` goes before `limit`.
    """
    if as_csv and limit is None and max_points is None:
        rows = backend.jobs.metric_rows(job.id, after=after, smoothing=smoothing)
        return StreamingResponse(rows_as_csv(rows), media_type=CSV)
    page = backend.jobs.metrics(job.id, after=after, limit=limit or PAGE, max_points=max_points, smoothing=smoothing)
    if not as_csv:
        return MetricsPage.of(page)
    link = next_page(request, page.data[-1]["epoch"]) if page.has_more else {}
    return Response("".join(rows_as_csv(page.data)), media_type=CSV, headers=link)


@router.get("/events", responses=documented(404, 422))
def list_events(job_id: JobId, backend: BackendDep, limit: Limit = 100, after: Sequence = 0) -> Listing[EventView]:
    """What happened to the job, oldest first."""
    return Listing[EventView].of(backend.jobs.events(job_id, after=after, limit=limit))


def start_of_stream(
    job: ExistingJob,
    backend: BackendDep,
    after: Sequence = 0,
    last_event_id: Annotated[
        int | None,
        Header(ge=0, le=2**63 - 1, description="sent by a client that comes back; overrides `after`"),
    ] = None,
) -> int:
    """`seq` of the last event that the client has seen; raises `Over` where that was `done`."""
    if last_event_id is None:
        return after
    event_streams.refuse_if_over(backend, job, last_event_id)
    return last_event_id


@router.get(
    "/stream",
    response_class=EventSourceResponse,
    responses={
        200: {"description": "Events until `done`; `id` is the event's `seq`"},
        204: {"description": "`Last-Event-ID` is that of `done`: a browser's EventSource comes back no more"},
        **documented(404, 422),
    },
)
async def stream_events(
    job: ExistingJob,
    backend: BackendDep,
    watchers: FreeWatchers,
    start: Annotated[int, Depends(start_of_stream)],
) -> AsyncIterator[ServerSentEvent]:
    """What happens to the job, as it happens (Server-Sent Events); the last event is `done` with the job."""
    async for event in event_streams.events(backend, watchers, job.id, start):
        yield event


@router.get("/layers", responses=documented(404, 422))
def list_layers(
    job_id: JobId, backend: BackendDep, limit: Limit = 100, after: Sequence = 0
) -> Listing[LayersMeasuredView]:
    """Gradients, weights, dead and saturated units of every layer, by epoch; `after` is the last epoch known."""
    return Listing[LayersMeasuredView].of(backend.jobs.layers(job_id, after=after, limit=limit))


@router.get("/diagnosis", responses=documented(404, 409, 422))
def get_diagnosis(job_id: JobId, backend: BackendDep) -> Diagnosis:
    """Bias or variance: the verdict on a finished job, its evidence, and the next jobs to try, best first."""
    return backend.jobs.diagnosis(job_id)


def rows_as_csv(rows: Iterable[DatedRow]) -> Iterator[str]:
    """Under the names that the first row has; where there is none, under those that every row has."""
    waiting = iter(rows)
    first = next(waiting, None)
    columns = ALWAYS if first is None else tuple(first)
    found = waiting if first is None else chain([first], waiting)
    return csv_text(columns, ([row.get(name) for name in columns] for row in found))
