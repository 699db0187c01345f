"""The fleet: the workers that were seen lately, and whether what the service leans on works."""

from dataclasses import dataclass
from datetime import datetime


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
