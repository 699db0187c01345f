"""Data that jobs can name."""

from typing import TypedDict

from trainshed.client.types.job import State
from trainshed.client.types.json import JsonObject


class Dataset(TypedDict):
    """A version of a dataset."""

    id: str
    name: str
    version: int
    media_type: str | None
    bytes: int
    sha256: str
    rows: int
    summary: JsonObject
    created_by: str
    created_at: str


class Preview(TypedDict):
    """The first rows of a dataset, and its columns with their types and histograms."""

    columns: list[str]
    rows: list[JsonObject]
    summary: list[JsonObject]


class DatasetUse(TypedDict):
    """A job that was made of a dataset, and its model."""

    job: str
    name: str | None
    state: State
    reference: str
    created_at: str
    model_sha256: str | None


class DatasetUsage(TypedDict):
    """What a dataset takes up, and what was made of it."""

    id: str
    name: str
    version: int
    upload_bytes: int
    stored_bytes: int
    jobs: int
    live: int
    models: int
    uses: list[DatasetUse]
