"""What the service says of a gradient check."""

from datetime import datetime

from pydantic import Field

from service.views.failures import FailureView
from service.views.view import Object, View
from worker.domain.gradient_checks import GradientCheck
from worker.domain.work_items import Status


class GradientCheckView(View[GradientCheck]):
    """A comparison of backpropagation with finite differences."""

    number: int = Field(description="counts a job's checks from 1")
    state: Status
    requested: Object | None = Field(description="what was asked for; null for a check that the job's spec wants")
    report: Object | None = Field(description="`at`, `difference`, `verdict`, `tensors` with the same, `worst`, …")
    error: FailureView | None
    created_by: str = Field(description="the principal that made it")
    created_at: datetime
    finished_at: datetime | None
