"""What the store hands out beside jobs: pages, events, metrics, datasets, parameter sets, models, workers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import JsonValue

Entry = TypeVar("Entry", covariant=True)


@dataclass(frozen=True)
class Page(Generic[Entry]):
    """Some entries, and whether there are more behind them."""

    data: tuple[Entry, ...]
    has_more: bool


@dataclass(frozen=True)
class Event:
    """Something that happened to a job; `seq` counts from 1 without a gap."""

    seq: int
    type: str
    at: datetime
    attempt: int
    data: Mapping[str, JsonValue]


MetricsRow = Mapping[str, float | int | None]
"""A flat row: `epoch`, `step`, `learning_rate`, `train_cost`, …; null where a number was not finite."""

DatedRow = Mapping[str, float | int | str | None]
"""The same with `at`, the time when the epoch ended, in RFC 3339."""


@dataclass(frozen=True)
class LayersMeasured:
    """How every dense layer did in the last batch of an epoch."""

    epoch: int
    layers: Sequence[Mapping[str, JsonValue]]


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


@dataclass(frozen=True)
class ParameterSet:
    """Initial parameters that somebody uploaded; `tensors` maps a name to its shape."""

    id: str
    name: str
    bytes: int
    sha256: str
    tensors: Mapping[str, tuple[int, ...]]
    created_by: str
    created_at: datetime


@dataclass(frozen=True)
class ModelRecord:
    """The model of a job that succeeded."""

    job_id: str
    path: Path
    sha256: str
    weights_sha256: str


@dataclass(frozen=True)
class WorkerRecord:
    """A worker process that was seen lately."""

    id: str
    host: str
    pid: int
    queues: tuple[str, ...]
    started_at: datetime
    seen_at: datetime
    job_id: str | None
    device: str | None  # what it trains on, once it has said so
    memory_bytes: int | None  # that its process holds
    threads: int | None  # of the linear algebra of one job


@dataclass(frozen=True)
class Condition:
    """Whether something the service leans on works, and what to know about it."""

    ok: bool
    kind: str
    detail: str
