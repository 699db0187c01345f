"""What the service says of why something failed."""

from pydantic import Field

from service.views.view import View
from worker.domain.work_items import Failure


class FailureView(View[Failure]):
    """Why a job failed."""

    code: str = Field(description="the kind of failure as one word", examples=["diverged"])
    message: str
    param: str | None = Field(description="JSON pointer to the field of the spec to change, if it is one")
    hint: str | None
