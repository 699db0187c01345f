"""What the service says of jobs side by side."""

from pydantic import Field, JsonValue

from service.views.view import Object, View
from worker.domain.jobs import Job
from worker.domain.work_items import Status
from worker.jobs.comparison import Comparison, Curves, Difference


class ComparedJob(View[Job]):
    """A job among those that are compared."""

    id: str
    name: str | None
    state: Status
    epoch: int
    revision: int
    data_hash: str
    stop_reason: str | None
    result: Object | None


class DifferenceView(View[Difference]):
    """A field in which the specs differ."""

    pointer: str
    values: list[JsonValue] = Field(description="one per job, in their order; null also where there is no such field")


class CurvesView(View[Curves]):
    """The metrics of all jobs over the same epochs."""

    epochs: list[int] = Field(description="of long jobs every few ones")
    series: dict[str, list[list[float | None]]] = Field(
        description="by metric: for each job its values, one per epoch; null where it has none"
    )


class ComparisonView(View[Comparison]):
    """Jobs side by side."""

    jobs: list[ComparedJob]
    differences: list[DifferenceView]
    curves: CurvesView
