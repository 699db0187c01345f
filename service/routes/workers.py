"""Workers: the processes that train."""

from service.dependencies import BackendDep
from service.http.listing import Listing
from service.http.problems import documented
from service.http.routing import StrictRouter
from service.views.workers import WorkerView
from worker.domain.paging import Page

router = StrictRouter("/v1/workers", "service")


@router.get("", responses=documented(422))
def list_workers(backend: BackendDep) -> Listing[WorkerView]:
    """The worker processes that were seen in the last half minute, and what they are busy with."""
    return Listing[WorkerView].of(Page(backend.fleet.workers(), has_more=False))
