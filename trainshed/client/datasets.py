"""Datasets: uploaded, looked at, checked."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from trainshed.client.connection import Connection, Query
from trainshed.client.media_types import media_type_of
from trainshed.client.page import Page
from trainshed.client.types import DataReport, Dataset, DatasetUsage, Preview


class Datasets:
    """`client.datasets`. A reference is an id, a name, or a name with its version: `exam@2`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def upload(
        self,
        name: str,
        content: Path | bytes,
        media_type: str | None = None,
        *,
        size: str | None = None,
        mode: Literal["auto", "grayscale", "color"] | None = None,
        white: int | None = None,
        one_hot: bool | None = None,
        sheet: str | None = None,
        options: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> Dataset:
        """Store a dataset; for a path its suffix (.csv, .json, .parquet, .xlsx, .npz, .zip …) tells the media type.

        For a zip of images, size="28x28" brings them to one size, mode="grayscale" or "color" to one kind, and white is
        what is white in images of 16 bits; one_hot=False keeps rows of an NPZ's y that look like classes; sheet names
        the one of a workbook. options are what a CSV does not say, as `summary.guesses` has them in `settle`: header,
        delimiter, encoding, comment, escape, index, units, missing.
        """
        media_type = media_type or media_type_of(name, content)
        query = {"name": name, "size": size, "mode": mode, "white": white, "one_hot": one_hot, "sheet": sheet}
        return self._connection.upload(
            Dataset, "/v1/datasets", content, media_type, query | dict(options or {}), key=key
        )

    def get(self, reference: str) -> Dataset:
        """A dataset as it is stored."""
        return self._connection.json(Dataset, "GET", f"/v1/datasets/{reference}")

    def list(self, *, limit: int = 20, after: str | None = None, name: str | None = None) -> Page[Dataset]:
        """A page of datasets, newest first; of one name, its versions."""
        return self._connection.page(Dataset, "/v1/datasets", {"limit": limit, "after": after, "name": name})

    def preview(self, reference: str, *, limit: int = 10) -> Preview:
        """The first rows of a dataset, and what every column holds."""
        return self._connection.json(Preview, "GET", f"/v1/datasets/{reference}/preview", {"limit": limit})

    def check(
        self, reference: str, *, target: str | None = None, split: Mapping[str, object] | None = None
    ) -> DataReport:
        """What may be wrong with a dataset and with how it would be split, the gravest finding first."""
        query = {"target": target, "split": None if split is None else json.dumps(dict(split))}
        return self._connection.json(DataReport, "GET", f"/v1/datasets/{reference}/checks", query)

    def usage(self, reference: str) -> DatasetUsage:
        """What a dataset takes up, and the jobs and models that were made of it."""
        return self._connection.json(DatasetUsage, "GET", f"/v1/datasets/{reference}/usage")

    def augmented(
        self,
        reference: str,
        augment: Sequence[Mapping[str, object]],
        *,
        rows: int = 8,
        draws: int = 8,
        seed: int = 0,
    ) -> bytes:
        """A PNG of a dataset's first images beside what augmentations, as in `data.augment`, make of them."""
        spec = json.dumps([dict(item) for item in augment])
        query: Query = {"spec": spec, "rows": rows, "draws": draws, "seed": seed}
        return self._connection.request("GET", f"/v1/datasets/{reference}/augmented", query).content

    def delete(self, reference: str) -> None:
        """Remove a dataset; jobs that used it keep what they learned."""
        self._connection.request("DELETE", f"/v1/datasets/{reference}")
