"""Whether the service lives, and whether it can work."""

from fastapi import APIRouter, Request, Response

from service.dependencies import WholeBackendDep
from service.http.problems import Fault, ProblemResponse, documented
from service.views.health import Alive, Ready

router = APIRouter(prefix="/health", tags=["service"])


@router.get("/live")
async def check_liveness() -> Alive:
    """The process answers."""
    return Alive()


@router.get("/ready", response_model=Ready, responses=documented())
def check_readiness(request: Request, backend: WholeBackendDep) -> Response | Ready:
    """Redis and the database answer; a problem names the one that does not."""
    state = Ready.of(backend.health())
    if state.ready:
        return state
    down = {name: part for name, part in state.parts.items() if not part.ok}
    return ProblemResponse.of(
        request,
        503,
        "; ".join(f"{name}: {part.detail}" for name, part in down.items()),
        code="not_ready",
        title="Something that the service leans on does not work",
        faults=[Fault(pointer=f"/{name}", part="body", detail=part.detail) for name, part in down.items()],
    )
