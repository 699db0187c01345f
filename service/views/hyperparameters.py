"""What the service says of a job's hyper-parameters and their changes."""

from datetime import datetime

from pydantic import Field

from service.views.view import Object, SpecObject, View
from worker.domain.jobs import Revision
from worker.jobs.hyperparameters import Hyperparameters


class RevisionView(View[Revision]):
    """A change of hyper-parameters."""

    number: int
    patch: Object = Field(description="as it was sent")
    before: Object = Field(
        description="value by JSON pointer into the spec", examples=[{"/optimizer/learning_rate": 0.1}]
    )
    after: Object
    note: str | None
    who: str | None
    created_at: datetime
    effective_epoch: int | None = Field(description="the first epoch that it holds for; null: not yet applied")
    checkpoint: int | None = Field(description="taken just before: resuming from it undoes the change")
    undone_at: datetime | None


class HyperparametersView(View[Hyperparameters]):
    """What a job trains with, or will from its next epoch on, and how that came to be."""

    revision: int = Field(description="0: as submitted")
    values: Object = Field(
        description="every field that may change while the job trains, by JSON pointer into the spec",
        examples=[{"/optimizer/learning_rate": 0.001, "/training/epochs": 20}],
    )
    spec: SpecObject = Field(description="the whole spec with these values")
    data: list[RevisionView] = Field(validation_alias="revisions", description="every change, the first first")
