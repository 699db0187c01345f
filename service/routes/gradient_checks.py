"""Gradient checks of a job: those that its spec wants, and those that are asked for."""

from functools import partial
from typing import Annotated

from fastapi import Body, Path, Query, Response

from engine import GradientCheckSpec
from service.dependencies import BackendDep, JobId, Limit, WatchersDep
from service.http.idempotency import KeyedDep
from service.http.listing import Listing
from service.http.long_polls import wait_until_done
from service.http.problems import documented
from service.http.request_bodies import Strict
from service.http.routing import StrictRouter
from service.views.gradient_checks import GradientCheckView

router = StrictRouter("/v1/jobs/{job_id}/gradient-checks", "progress")

EXAMPLES = {
    "trained": {"summary": "The model, as closely as it goes", "value": {}},
    "one-sided": {
        "summary": "The error of one-sided differences: O(ε), where two sides have O(ε²)",
        "value": {"at": "start", "sided": "one", "epsilon": 1e-4},
    },
}

USUAL = GradientCheckSpec()  # where a request has no body
Wanted = Annotated[Strict[GradientCheckSpec], Body(openapi_examples=EXAMPLES)]
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="number of a check, as the list of them shows it")]


@router.post("", status_code=201, responses=documented(400, 404, 409, 413, 415, 422, 507))
def check_gradients(
    job_id: JobId,
    response: Response,
    backend: BackendDep,
    keyed: KeyedDep,
    wanted: Wanted = USUAL,
) -> GradientCheckView:
    """Queue a check of backpropagation against finite differences; a worker makes it beside the job's own course."""
    check = backend.jobs.check_gradients(job_id, wanted, keyed)
    response.headers["Location"] = f"/v1/jobs/{job_id}/gradient-checks/{check.number}"
    return GradientCheckView.of(check)


@router.get("", responses=documented(404, 422))
def list_gradient_checks(
    job_id: JobId,
    backend: BackendDep,
    limit: Limit = 100,
    after: Annotated[int, Query(ge=0, le=2**63 - 1, description="`number` of the last check that is known")] = 0,
) -> Listing[GradientCheckView]:
    """Whether backpropagation agrees with finite differences, tensor by tensor; the oldest check first."""
    return Listing[GradientCheckView].of(backend.jobs.gradient_checks(job_id, after=after, limit=limit))


@router.get("/{number}", responses=documented(404, 422))
async def get_gradient_check(
    job_id: JobId,
    number: Number,
    backend: BackendDep,
    watchers: WatchersDep,
    wait: Annotated[
        float,
        Query(ge=0, allow_inf_nan=False, description="answer when the check is done, or after so many seconds"),
    ] = 0,
) -> GradientCheckView:
    """A check as it stands, or, with `wait`, as it ends; TRAINSHED_MAX_WAIT_SECONDS caps the wait."""
    read = partial(backend.jobs.gradient_check, job_id, number)
    return GradientCheckView.of(await wait_until_done(backend, watchers, job_id, wait, read))
