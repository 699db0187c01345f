"""Batch predictions: a whole dataset, predicted by a worker into a file."""

from functools import partial
from typing import Annotated

from fastapi import Path, Query, Response

from service.dependencies import After, BackendDep, Limit, ModelName, WatchersDep, Which, looks_like
from service.http import downloads
from service.http.downloads import Download
from service.http.idempotency import KeyedDep
from service.http.listing import Listing
from service.http.long_polls import wait_until_done
from service.http.problems import documented
from service.http.request_bodies import Strict
from service.http.routing import StrictRouter
from service.views.batch_predictions import BatchPredictionView, NewBatch

router = StrictRouter("/v1/models/{name}/batch-predictions", "models")

MEDIA_TYPES = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
BatchId = Annotated[
    str,
    Path(description="id of a batch prediction", json_schema_extra=looks_like("bp")),
]


@router.post("", status_code=201, responses=documented(400, 404, 409, 413, 415, 422, 507))
def submit_batch_prediction(
    name: ModelName,
    which: Which,
    wanted: Strict[NewBatch],
    response: Response,
    backend: BackendDep,
    keyed: KeyedDep,
    threshold: Annotated[
        float | None, Query(ge=0, le=1, allow_inf_nan=False, description="decides instead of the version's")
    ] = None,
) -> BatchPredictionView:
    """Queue the prediction of a dataset with the newest version, or with the one that `alias` or `version` means.

    The version is settled now: an alias that is moved later moves no prediction. Columns that the model does not
    predict from are passed over, but for those that are kept.
    """
    batch = backend.batches.create(
        name, which, wanted.dataset, wanted.format, keep=wanted.keep, threshold=threshold, keyed=keyed
    )
    response.headers["Location"] = f"/v1/models/{name}/batch-predictions/{batch.id}"
    return BatchPredictionView.of(batch)


@router.get("", responses=documented(404, 422))
def list_batch_predictions(
    name: ModelName, backend: BackendDep, limit: Limit = 20, after: After = None
) -> Listing[BatchPredictionView]:
    """List a model's batch predictions, newest first."""
    return Listing[BatchPredictionView].of(backend.batches.page(name, limit=limit, after=after))


@router.get("/{batch}", responses=documented(404, 422))
async def get_batch_prediction(
    name: ModelName,
    batch: BatchId,
    backend: BackendDep,
    watchers: WatchersDep,
    wait: Annotated[
        float, Query(ge=0, allow_inf_nan=False, description="answer when it is done, or after so many seconds")
    ] = 0,
) -> BatchPredictionView:
    """A batch prediction as it stands, or, with `wait`, as it ends; TRAINSHED_MAX_WAIT_SECONDS caps the wait."""
    read = partial(backend.batches.get, name, batch)
    return BatchPredictionView.of(await wait_until_done(backend, watchers, batch, wait, read))


@router.get("/{batch}/result", **downloads.described(MEDIA_TYPES.values(), 404, 409, 422))
def download_batch_prediction(name: ModelName, batch: BatchId, backend: BackendDep) -> Download:
    """The predictions, a row for each of the dataset's and in their order; of given parts train, dev, test.

    First the columns that are kept of the dataset.
    Classes: `label` and `probability_…` of each. Several labels: for each whether it is on, and its probability.
    Values: `value`.
    """
    found = backend.batches.get(name, batch)
    return Download(
        str(backend.batches.result(found)),
        sha256=str(found.sha256),
        media_type=MEDIA_TYPES[found.format],
        filename=f"{name}-{batch}.{found.format}",
        model=f"{found.name}@{found.version}",
    )


@router.delete("/{batch}", status_code=204, responses=documented(404, 422, 507))
def delete_batch_prediction(name: ModelName, batch: BatchId, backend: BackendDep) -> None:
    """Delete a batch prediction and its result; one that is being made is given up."""
    backend.batches.delete(name, batch)
