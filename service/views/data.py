"""What the service says of what is uploaded: datasets and parameter sets."""

from collections.abc import Mapping
from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from service.views.jobs import Object
from worker.domain.records import DatasetRecord, DatasetUsage, ParameterSet
from worker.domain.work_items import Status


class DatasetView(BaseModel):
    """A dataset that was uploaded, or a sample set."""

    id: str = Field(examples=["ds_0198f3c5a2b87c1d9e4f5a6b7c8d9e0f"])
    name: str = Field(description="stands for the newest version; `name@2` for the second")
    version: int = Field(description="counts from 1; other content under the same name is the next one")
    media_type: str | None = Field(description="of the upload; null for a sample set")
    bytes: int = Field(description="size of the upload")
    sha256: str = Field(description="of the stored file")
    rows: int
    summary: Object = Field(
        description="rows per part; per column its `type`, `missing`, `distinct` (null: more than 10 000), and for "
        "numbers `min`, `max`, `mean`, `std` and a `histogram` (`edges`, `counts`), for categories the `top` ten"
    )
    created_at: datetime

    @classmethod
    def of(cls, record: DatasetRecord) -> Self:
        return cls(
            id=record.id,
            name=record.name,
            version=record.version,
            media_type=record.media_type,
            bytes=record.bytes,
            sha256=record.sha256,
            rows=record.rows,
            summary=record.summary,
            created_at=record.created_at,
        )


class DatasetUseView(BaseModel):
    """A job that learns, or learned, from the dataset."""

    job: str = Field(examples=["job_0198f3c5a2b87c1d9e4f5a6b7c8d9e0f"])
    name: str | None
    state: Status
    reference: str = Field(description="as the job's spec calls the dataset")
    created_at: datetime
    model_sha256: str | None = Field(description="of the model's file; null while there is none")


class DatasetUsageView(BaseModel):
    """What a dataset takes up, and what was made of it."""

    id: str
    name: str
    version: int
    upload_bytes: int = Field(description="size of the upload")
    stored_bytes: int = Field(description="size of the stored file")
    jobs: int = Field(description="that learn or learned from it")
    live: int = Field(description="of these, not done: while there is one, the dataset cannot be deleted")
    models: int = Field(description="made of it")
    uses: list[DatasetUseView] = Field(description="the newest hundred jobs, newest first")

    @classmethod
    def of(cls, usage: DatasetUsage) -> Self:
        record = usage.dataset
        return cls(
            id=record.id,
            name=record.name,
            version=record.version,
            upload_bytes=record.bytes,
            stored_bytes=usage.stored_bytes,
            jobs=usage.jobs,
            live=usage.live,
            models=usage.models,
            uses=[
                DatasetUseView(
                    job=use.job_id,
                    name=use.job_name,
                    state=Status(use.state),
                    reference=use.reference,
                    created_at=use.created_at,
                    model_sha256=use.model_sha256,
                )
                for use in usage.uses
            ],
        )


class ParameterSetView(BaseModel):
    """A set of initial parameters that was uploaded."""

    id: str = Field(examples=["ps_0198f3c5a2b87c1d9e4f5a6b7c8d9e0f"])
    name: str = Field(description='for `{"initializer": {"type": "given", "parameters": "…"}}`')
    bytes: int
    sha256: str
    tensors: Mapping[str, tuple[int, ...]] = Field(description="shape per tensor", examples=[{"W1": [64, 10]}])
    created_at: datetime

    @classmethod
    def of(cls, stored: ParameterSet) -> Self:
        return cls(
            id=stored.id,
            name=stored.name,
            bytes=stored.bytes,
            sha256=stored.sha256,
            tensors=stored.tensors,
            created_at=stored.created_at,
        )
