"""What the service says of a dataset."""

from datetime import datetime

from pydantic import AliasPath, Field

from service.views.view import Object, View
from worker.domain.datasets import DatasetRecord, DatasetUsage, DatasetUse
from worker.domain.work_items import Status


class DatasetView(View[DatasetRecord]):
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
        "numbers `min`, `max`, `mean`, `std` and a `histogram` (`edges`, `counts`), for categories the `top` ten; "
        "`guesses`: what the file did not say, each with the query parameter that settles it"
    )
    created_by: str = Field(description="the principal that made it")
    created_at: datetime


class DatasetUseView(View[DatasetUse]):
    """A job that learns, or learned, from the dataset."""

    job: str = Field(validation_alias="job_id", examples=["job_0198f3c5a2b87c1d9e4f5a6b7c8d9e0f"])
    name: str | None = Field(validation_alias="job_name")
    state: Status
    reference: str = Field(description="as the job's spec calls the dataset")
    created_at: datetime
    model_sha256: str | None = Field(description="of the model's file; null while there is none")


class DatasetUsageView(View[DatasetUsage]):
    """What a dataset takes up, and what was made of it."""

    id: str = Field(validation_alias=AliasPath("dataset", "id"))
    name: str = Field(validation_alias=AliasPath("dataset", "name"))
    version: int = Field(validation_alias=AliasPath("dataset", "version"))
    upload_bytes: int = Field(validation_alias=AliasPath("dataset", "bytes"), description="size of the upload")
    stored_bytes: int = Field(description="size of the stored file")
    jobs: int = Field(description="that learn or learned from it")
    live: int = Field(description="of these, not done: while there is one, the dataset cannot be deleted")
    models: int = Field(description="made of it")
    uses: list[DatasetUseView] = Field(description="the newest hundred jobs, newest first")
