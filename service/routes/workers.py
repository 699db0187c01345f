"""Workers: the processes that train."""

from fastapi import APIRouter

from service.bodies import StrictRoute
from service.dependencies import YardDep
from service.problems import documented
from service.steering_views import WorkerView
from service.views import Listing
from worker.records import Page

router = APIRouter(prefix="/v1/workers", tags=["service"], route_class=StrictRoute)


@router.get("", responses=documented(422))
def list_workers(yard: YardDep) -> Listing[WorkerView]:
    """The worker processes that were seen in the last half minute, and what they are busy with."""
    return Listing[WorkerView].of(Page(yard.workers(), has_more=False), WorkerView.of)
