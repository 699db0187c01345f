"""Datasets: what is known of one, what a job remembers of it, and what was made of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue


@dataclass(frozen=True)
class PinnedDataset:
    """A dataset as far as a job remembers it: later versions of the name are others."""

    id: str
    sha256: str  # of the stored file


@dataclass(frozen=True)
class DatasetRecord:
    """A dataset that was uploaded, or a sample set that was needed."""

    id: str
    name: str
    version: int  # of the name, from 1; the name itself stands for the newest
    media_type: str | None  # None for a sample
    bytes: int  # as uploaded
    sha256: str  # of the stored file: what a job's data hash is made of
    rows: int
    summary: Mapping[str, JsonValue]
    created_by: str
    created_at: datetime

    @property
    def pin(self) -> PinnedDataset:
        """What a job remembers of it."""
        return PinnedDataset(self.id, self.sha256)


@dataclass(frozen=True)
class DatasetUse:
    """A job that learned, or will learn, from a dataset."""

    job_id: str
    job_name: str | None
    state: str
    reference: str  # as the job's spec calls the dataset
    created_at: datetime
    model_sha256: str | None  # of the model's file, where there is one


@dataclass(frozen=True)
class DatasetUsage:
    """What a dataset takes up, and what was made of it."""

    dataset: DatasetRecord
    stored_bytes: int
    jobs: int  # in all; `uses` lists the newest
    live: int  # of these, jobs that are not done: while there is one, the dataset cannot be deleted
    models: int
    uses: tuple[DatasetUse, ...]
