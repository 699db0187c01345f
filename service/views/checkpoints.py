"""What the service says of a checkpoint."""

from datetime import datetime

from pydantic import Field

from service.views.view import Object, View
from worker.domain.jobs import Checkpoint, CheckpointKind


class CheckpointView(View[Checkpoint]):
    """A place where a job can go on."""

    number: int = Field(description="within the job, from 1; for `start_from` and `resume`")
    epoch: int = Field(description="epochs finished")
    step: int
    kind: CheckpointKind = Field(
        description="best: the best model so far; periodic: time had passed; control: before a pause or a change"
    )
    revision: int = Field(description="of the hyper-parameters, in force")
    bytes: int
    sha256: str
    metrics: Object
    created_at: datetime
