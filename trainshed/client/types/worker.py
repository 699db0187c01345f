"""A process that works."""

from typing import TypedDict


class Worker(TypedDict):
    """A worker that was seen lately, and what it does."""

    id: str
    host: str
    pid: int
    queues: list[str]
    device: str | None
    memory_bytes: int | None
    threads: int | None
    job: str | None
    started_at: str
    seen_at: str
