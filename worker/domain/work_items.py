"""Work items: what workers do, whatever it is; their state machine, and the lease under which one is worked on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, TypeAlias

from pydantic import JsonValue

from worker.domain.principals import Principal


class Status(StrEnum):
    """Where a work item stands."""

    QUEUED = "queued"  # saved, and waiting for a worker
    RUNNING = "running"  # a worker holds the lease
    PAUSED = "paused"  # somebody asked for a rest; it goes on from where it was saved when they ask for that
    SUCCEEDED = "succeeded"  # what it was to make is saved
    FAILED = "failed"  # it cannot be done; `error` says why
    CANCELLED = "cancelled"  # somebody asked for the end before it came

    @property
    def terminal(self) -> bool:
        """Whether nothing can happen to the item any more."""
        return not MOVES[self]


MOVES: Mapping[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.RUNNING, Status.PAUSED, Status.CANCELLED}),
    # queued: the lease expired, or the worker is about to end; running: taken over by the next attempt
    Status.RUNNING: frozenset(Status),
    Status.PAUSED: frozenset({Status.QUEUED, Status.CANCELLED}),
    Status.SUCCEEDED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}
"""Every legal move; whatever is not here is an `IllegalMove`."""

LIVE = tuple(status for status in Status if not status.terminal)

Control = Literal["pause", "stop", "cancel"]
"""What somebody may want of an item; of two wishes the later in this list counts."""

Document: TypeAlias = Mapping[str, JsonValue]


@dataclass(frozen=True)
class Signals:
    """What the store tells the worker of an item each time it hears from it."""

    control: Control | None
    revision: int  # grows when what is wanted of the item changes: a job's newest hyper-parameters, 0 as submitted


@dataclass(frozen=True)
class Failure:
    """Why an item failed, in the words of the person who has to change something."""

    code: str
    message: str
    param: str | None = None  # JSON pointer into the request
    hint: str | None = None


@dataclass(frozen=True)
class WorkItem:
    """A work item as the store knows it at one moment; times are UTC."""

    id: str
    kind: str
    topic: str  # whoever waits for it is woken under this id: the item's own, or that of what it belongs to
    principal: Principal  # whose it is, and on whose behalf a worker does it
    queue: str
    priority: int  # 0 to 9; 9 is claimed first
    state: Status
    request: Document | None  # what is to be done, for kinds that keep it nowhere else
    progress: Document | None  # how far the attempts have come; a kind that saves goes on from it
    result: Document | None
    error: Failure | None
    attempt: int  # claims so far; every write of a worker carries it (the fencing token)
    control: Control | None  # asked for, and not yet confirmed by the worker
    revision: int
    spent_seconds: float  # by the attempts before this one
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def done(self) -> bool:
        """Whether the item has come to its end, whichever."""
        return self.state.terminal


@dataclass(frozen=True)
class Claim:
    """A worker's right to write about an item, good until the lease runs out or a higher attempt is claimed."""

    item: WorkItem
    worker: str

    @property
    def item_id(self) -> str:
        return self.item.id

    @property
    def attempt(self) -> int:
        return self.item.attempt
