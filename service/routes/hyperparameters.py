"""The hyper-parameters of a job, which a person may change while it trains."""

from typing import Annotated

from fastapi import Body, Header, Response
from pydantic import JsonValue, RootModel

from engine import JobSpec
from service.dependencies import BackendDep, JobId, Who
from service.http import openapi
from service.http.etags import is_among, tag_of
from service.http.problems import Fault, RequestRefused, documented, invalid
from service.http.request_bodies import Strict, validated
from service.http.routing import StrictRouter
from service.views.hyperparameters import HyperparametersView
from service.views.jobs import JobView
from worker.jobs.hyperparameters import merged

router = StrictRouter("/v1/jobs/{job_id}/hyperparameters", "control")

EXAMPLES = {
    "rate": {"summary": "A larger learning rate", "value": {"optimizer": {"learning_rate": 0.01}, "note": "too slow"}},
    "longer": {"summary": "More epochs, more patience", "value": {"training": {"epochs": 200}}},
}
LONGEST_NOTE = 1024


class HyperparametersPatch(RootModel[dict[str, JsonValue]]):
    """The fields of the spec to change, as deep as they lie there, and perhaps a `note` that says why."""


PATCH = {"$ref": openapi.REFERENCE.format(model=HyperparametersPatch.__name__)}
Patch = Annotated[Strict[HyperparametersPatch], Body(openapi_examples=EXAMPLES)]


@router.get("", responses=documented(404, 422))
def get_hyperparameters(job_id: JobId, backend: BackendDep) -> HyperparametersView:
    """What may change while the job trains, its values, and every change so far."""
    return HyperparametersView.of(backend.jobs.hyperparameters(job_id))


@router.patch(
    "",
    status_code=202,
    responses=documented(400, 404, 409, 412, 413, 415, 422, 507),
    openapi_extra={
        "requestBody": {
            "content": {
                "application/merge-patch+json": {"schema": {"$ref": "#/components/schemas/HyperparametersPatch"}}
            }
        }
    },
)
def change_hyperparameters(
    job_id: JobId,
    patch: Patch,
    response: Response,
    backend: BackendDep,
    who: Who,
    if_match: Annotated[
        str | None,
        Header(max_length=1024, description="ETag of the job or of its hyper-parameters: changed since, 412"),
    ] = None,
) -> HyperparametersView:
    """Change hyper-parameters with a merge patch (RFC 7396) of the spec; a member `note` says why.

    A running job saves a checkpoint and trains on with them from its next epoch; a queued or paused one when it trains
    again. A field that cannot change is refused by name, and then nothing changes.
    """
    known = backend.jobs.hyperparameters(job_id)
    if if_match is not None:
        tags = [
            tag_of(view.model_dump_json().encode()) for view in (HyperparametersView.of(known), JobView.of(known.job))
        ]
        if not any(is_among(tag, if_match) for tag in tags):
            raise RequestRefused(
                412,
                "changed_since",
                "The job is not what it was",
                f"the job or its hyper-parameters have changed since; they are at revision {known.revision}",
            )
    note = patch.root.get("note")
    if note is not None and not (isinstance(note, str) and len(note) <= LONGEST_NOTE):
        raise invalid([Fault(pointer="/note", part="body", detail=f"must be a text of at most {LONGEST_NOTE} letters")])
    wanted = {name: value for name, value in patch.root.items() if name != "note"}
    spec = validated(JobSpec, merged(dict(known.spec), wanted))
    view = HyperparametersView.of(backend.jobs.revise(known, spec, wanted, note=note, who=who))
    response.headers["ETag"] = tag_of(view.model_dump_json().encode())
    return view
