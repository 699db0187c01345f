"""What the service says of a worker process."""

from datetime import datetime

from pydantic import Field

from service.views.view import View
from worker.domain.fleet import WorkerRecord


class WorkerView(View[WorkerRecord]):
    """A process that trains jobs, one at a time."""

    id: str
    host: str
    pid: int
    queues: list[str]
    device: str | None
    memory_bytes: int | None = Field(description="held by the process")
    threads: int | None = Field(description="that one job computes with")
    job: str | None = Field(validation_alias="job_id", description="what it is busy with, if that is yours")
    started_at: datetime
    seen_at: datetime
