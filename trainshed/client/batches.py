"""Batch predictions: what a registered model says about a whole dataset, made by a worker."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from trainshed.client.connection import Connection
from trainshed.client.page import Page
from trainshed.client.types import BatchPrediction


class Batches:
    """`client.batches`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def submit(
        self,
        model: str,
        dataset: str,
        *,
        format: Literal["csv", "parquet"] = "csv",
        keep: Sequence[str] | None = None,
        threshold: float | None = None,
        alias: str | None = None,
        version: int | None = None,
        key: str | None = None,
    ) -> BatchPrediction:
        """Queue the prediction of a whole dataset by the newest version, or the one that is named.

        `keep` names columns of the dataset that go into the result; without it those go that tell its rows apart.
        """
        query = {"alias": alias, "version": version, "threshold": threshold}
        body: dict[str, object] = {"dataset": dataset, "format": format}
        if keep is not None:
            body["keep"] = list(keep)
        return self._connection.create(BatchPrediction, _path(model), body, query, key=key)

    def get(self, model: str, batch_id: str) -> BatchPrediction:
        """A batch prediction as it is now."""
        return self._connection.json(BatchPrediction, "GET", f"{_path(model)}/{batch_id}")

    def list(self, model: str, *, limit: int = 20, after: str | None = None) -> Page[BatchPrediction]:
        """A page of a model's, newest first."""
        return self._connection.page(BatchPrediction, _path(model), {"limit": limit, "after": after})

    def wait(self, model: str, batch_id: str, seconds: float | None = None) -> BatchPrediction:
        """The batch prediction once it is done, or as it is after `seconds`; one that failed says why in `error`."""
        path = f"{_path(model)}/{batch_id}"
        return self._connection.wait(BatchPrediction, path, lambda now: now["done"], seconds)

    def download(self, model: str, batch_id: str, path: Path) -> None:
        """Write the result."""
        self._connection.download(f"{_path(model)}/{batch_id}/result", path)

    def delete(self, model: str, batch_id: str) -> None:
        """Remove a batch prediction with its result; one that is not done is ended."""
        self._connection.request("DELETE", f"{_path(model)}/{batch_id}")


def _path(model: str) -> str:
    return f"/v1/models/{model}/batch-predictions"
