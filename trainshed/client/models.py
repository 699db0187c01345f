"""Registered models: versions, the aliases that mean them, and what they predict."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from trainshed.client.connection import Connection
from trainshed.client.page import Page
from trainshed.client.rows import Row, rows_body
from trainshed.client.types import (
    Alias,
    AliasChange,
    Drift,
    Explained,
    Model,
    ModelCard,
    ModelPredictions,
    ModelVersion,
)


class Models:
    """`client.models`. Where neither `alias` nor `version` is named, the newest version is meant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def register(
        self,
        name: str,
        job_id: str,
        *,
        checkpoint: int | None = None,
        strict: bool | None = None,
        threshold: float | None = None,
        key: str | None = None,
    ) -> ModelVersion:
        """Make a job's model, or one of its checkpoints, the next version of a name.

        A `strict` version refuses rows with missing or unknown fields; from the probability `threshold` on a row is of
        the second of two classes, or has one of several labels.
        """
        options = {"checkpoint": checkpoint, "strict": strict, "threshold": threshold}
        wanted = {"job": job_id, **{name: value for name, value in options.items() if value is not None}}
        return self._connection.create(ModelVersion, f"/v1/models/{name}/versions", wanted, key=key)

    def get(self, name: str) -> Model:
        """A registered model: its versions and what its aliases mean."""
        return self._connection.json(Model, "GET", f"/v1/models/{name}")

    def list(self, *, limit: int = 20, after: str | None = None) -> Page[Model]:
        """Registered models by name, those behind the name `after`."""
        return self._connection.page(Model, "/v1/models", {"limit": limit, "after": after})

    def change(self, name: str, *, drift: bool) -> Model:
        """Have the features of requests sampled for `drift`, or no longer."""
        return self._connection.json(Model, "PUT", f"/v1/models/{name}", body={"drift": drift})

    def version(self, name: str, version: int) -> ModelVersion:
        """One version."""
        return self._connection.json(ModelVersion, "GET", f"/v1/models/{name}/versions/{version}")

    def versions(self, name: str, *, limit: int = 20, after: int | None = None) -> Page[ModelVersion]:
        """Versions older than `after`, newest first."""
        path = f"/v1/models/{name}/versions"
        return self._connection.page(ModelVersion, path, {"limit": limit, "after": after})

    def change_version(self, name: str, version: int, change: Mapping[str, object]) -> ModelVersion:
        """Have a version answer in another way: `{"threshold": 0.3}`, `{"strict": True}`; what is left out stays."""
        return self._connection.json(ModelVersion, "PATCH", f"/v1/models/{name}/versions/{version}", body=dict(change))

    def delete_version(self, name: str, version: int) -> None:
        """Remove a version that no alias means."""
        self._connection.request("DELETE", f"/v1/models/{name}/versions/{version}")

    def aliases(self, name: str) -> Page[Alias]:
        """What the aliases mean."""
        return self._connection.page(Alias, f"/v1/models/{name}/aliases")

    def alias(self, name: str, alias: str) -> Alias:
        """What an alias means."""
        return self._connection.json(Alias, "GET", f"/v1/models/{name}/aliases/{alias}")

    def set_alias(self, name: str, alias: str, version: int) -> Alias:
        """Have an alias mean a version, at once and with no request lost."""
        return self._connection.json(Alias, "PUT", f"/v1/models/{name}/aliases/{alias}", body={"version": version})

    def roll_back(self, name: str, alias: str) -> Alias:
        """Have an alias mean what it meant before."""
        return self._connection.json(Alias, "POST", f"/v1/models/{name}/aliases/{alias}/rollback")

    def alias_history(self, name: str, alias: str, *, limit: int = 20, after: int | None = None) -> Page[AliasChange]:
        """What an alias meant, newest first."""
        path = f"/v1/models/{name}/aliases/{alias}/history"
        return self._connection.page(AliasChange, path, {"limit": limit, "after": after})

    def delete_alias(self, name: str, alias: str) -> None:
        """Remove an alias; the version stays."""
        self._connection.request("DELETE", f"/v1/models/{name}/aliases/{alias}")

    def predict(
        self,
        name: str,
        rows: Sequence[Row],
        *,
        alias: str | None = None,
        version: int | None = None,
        top_k: int | None = None,
        threshold: float | None = None,
    ) -> ModelPredictions:
        """What a version says about each row; with `top_k`, the likeliest labels; `threshold` decides in its stead."""
        query = {"alias": alias, "version": version, "top_k": top_k, "threshold": threshold}
        path = f"/v1/models/{name}/predict"
        return self._connection.json(ModelPredictions, "POST", path, query, body=rows_body(rows), repeatable=True)

    def explain(
        self, name: str, wanted: Mapping[str, object], *, alias: str | None = None, version: int | None = None
    ) -> Explained:
        """What each feature is worth on a dataset, `{"dataset": "iris"}`, or how the answer to one `row` moves."""
        query = {"alias": alias, "version": version}
        path = f"/v1/models/{name}/explain"
        return self._connection.json(Explained, "POST", path, query, body=dict(wanted), repeatable=True)

    def drift(self, name: str, *, alias: str | None = None, version: int | None = None) -> Drift:
        """Whether the requests of the last day look like the training rows; `change(name, drift=True)` samples them."""
        return self._connection.json(Drift, "GET", f"/v1/models/{name}/drift", {"alias": alias, "version": version})

    def card(self, name: str, *, alias: str | None = None, version: int | None = None) -> ModelCard:
        """What a version learned from, how well it does, and where not to trust it."""
        return self._connection.json(ModelCard, "GET", f"/v1/models/{name}/card", {"alias": alias, "version": version})

    def card_markdown(self, name: str, *, alias: str | None = None, version: int | None = None) -> str:
        """The card as a page to read."""
        query = {"format": "markdown", "alias": alias, "version": version}
        return self._connection.request("GET", f"/v1/models/{name}/card", query).text

    def download(
        self,
        name: str,
        path: Path,
        *,
        alias: str | None = None,
        version: int | None = None,
        format: Literal["safetensors", "npz", "onnx"] = "safetensors",
    ) -> None:
        """Write a model's file: safetensors for `trainshed.engine.load`, npz, or onnx with the preprocessing in it."""
        query = {"alias": alias, "version": version, "format": format}
        self._connection.download(f"/v1/models/{name}/artifact", path, query)
