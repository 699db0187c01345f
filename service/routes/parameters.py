"""Parameter sets: initial weights to start from."""

from typing import Annotated

from fastapi import Query, Request, Response

from engine.foreign_weights import Origin
from service.dependencies import After, BackendDep, Limit, Name, Reference
from service.http import uploads
from service.http.idempotency import Idempotent
from service.http.listing import Listing
from service.http.problems import documented
from service.http.routing import StrictRouter
from service.views.parameters import ParameterSetView

router = StrictRouter("/v1/parameters", "parameters", uploads.UploadRoute)

TENSORS = uploads.Kinds(
    media_types=("application/x-npz", "application/vnd.safetensors"),
    endings={".npz": "application/x-npz", ".safetensors": "application/vnd.safetensors"},
)


@router.post(
    "",
    status_code=201,
    dependencies=[Idempotent],
    responses={
        200: {"model": ParameterSetView, "description": "The same content was there under this name"},
        **documented(400, 409, 413, 415, 422, 507),
    },
    openapi_extra=uploads.body(
        TENSORS,
        "Tensors named `W1 b1 W2 b2 …` (W: n_in × n_out, numbered by dense layer, the output layer last), with "
        "batch norm also `gamma1 beta1 mean1 variance1 …`. Also read: the state dict of a PyTorch `Sequential` "
        "(`0.weight`, transposed here, `0.bias`, `1.running_mean`, …), Keras weights (`dense/kernel`, `dense/bias`, "
        "`batch_normalization/gamma`, … or `arr_0 …` of `numpy.savez(file, *model.get_weights())`), and models that "
        "were exported here.",
    ),
)
async def upload_parameters(
    request: Request,
    response: Response,
    backend: BackendDep,
    name: Name,
    layout: Annotated[Origin, Query(description="whose names the tensors have; auto goes by the names")] = "auto",
) -> ParameterSetView:
    """Upload initial parameters for `{"initializer": {"type": "given", "parameters": name}}`."""
    stored, created = await uploads.received(
        request, backend, TENSORS, lambda media_type, file: backend.parameters.add(name, media_type, file, layout)
    )
    response.status_code = 201 if created else 200
    response.headers["Location"] = f"/v1/parameters/{stored.id}"
    return ParameterSetView.of(stored)


@router.get("", responses=documented(422))
def list_parameters(backend: BackendDep, limit: Limit = 20, after: After = None) -> Listing[ParameterSetView]:
    """List parameter sets, newest first."""
    return Listing[ParameterSetView].of(backend.parameters.page(limit=limit, after=after))


@router.get("/{parameters}", responses=documented(404, 422))
def get_parameters(parameters: Reference, backend: BackendDep) -> ParameterSetView:
    """A parameter set by id or name."""
    return ParameterSetView.of(backend.parameters.find(parameters))
