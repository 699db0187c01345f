"""Jobs side by side."""

from typing import Annotated

from fastapi import Query

from service.dependencies import BackendDep
from service.http.problems import documented
from service.http.routing import StrictRouter
from service.views.comparison import ComparisonView

router = StrictRouter("/v1/compare", "jobs")


@router.get("", responses=documented(404, 422))
def compare_jobs(
    backend: BackendDep,
    jobs: Annotated[str, Query(description="ids of two to ten jobs, comma-separated", max_length=1024)],
) -> ComparisonView:
    """Compare jobs: the fields in which their specs differ, their results, and their curves over the same epochs."""
    return ComparisonView.of(backend.jobs.compare([job_id.strip() for job_id in jobs.split(",")]))
