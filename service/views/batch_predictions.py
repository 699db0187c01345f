"""What the service says of a batch prediction, and what is asked for one."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from engine.answer_files import AnswerFormat
from service.views.failures import FailureView
from service.views.view import View
from worker.domain.batch_predictions import BatchPrediction
from worker.domain.work_items import Status


class NewBatch(BaseModel):
    """What to predict."""

    model_config = ConfigDict(extra="forbid")

    dataset: str = Field(description="id or name of a dataset", max_length=128)
    format: AnswerFormat = Field("csv", description="of the result")
    keep: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=1000)] | None = Field(
        None,
        description="columns of the dataset that go into the result, before the answers; null: those that the model "
        "does not predict from and whose values all differ, so that the result can be joined again",
    )


class BatchPredictionView(View[BatchPrediction]):
    """The prediction of a whole dataset."""

    id: str = Field(examples=["bp_0198f3c5a2b87c1d9e4f5a6b7c8d9e0f"])
    model: str = Field(validation_alias="name")
    version: int = Field(description="settled when it was asked for")
    dataset: str = Field(validation_alias="dataset_id", description="id of the dataset")
    reference: str = Field(description="what the request called it")
    format: AnswerFormat
    keep: tuple[str, ...] = Field(description="columns of the dataset that the result begins with")
    threshold: float | None = Field(
        description="of the decision; null: the likelier class, or labels likelier than not"
    )
    state: Status
    done: bool
    rows: int
    rows_done: int = Field(description="predicted so far")
    bytes: int | None = Field(description="size of the result; null while there is none")
    sha256: str | None
    error: FailureView | None
    created_by: str = Field(description="the principal that made it")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
