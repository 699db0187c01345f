"""The row of a work item, locked, changed and moved; kinds that have a table of their own extend this."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import sqlalchemy as sa
from pydantic import JsonValue

from worker.domain.principals import Principal
from worker.domain.work_items import MOVES, Failure, Status, WorkItem
from worker.errors import IllegalMove
from worker.storage import tables
from worker.store.times import moment, moment_or_none

ITEMS = tables.work_items.c


@dataclass(frozen=True)
class NewEvent:
    """An event before the store has numbered it."""

    type: str
    data: Mapping[str, JsonValue] = field(default_factory=dict)


class ItemRows:
    """Rows of kinds of work that have no table of their own."""

    what = "this work"  # in sentences

    def lock(self, connection: sa.Connection, item_id: str) -> sa.RowMapping | None:
        """The row, which nobody else can change before the end of the transaction."""
        query = sa.select(tables.work_items).where(ITEMS.id == item_id).with_for_update()
        return connection.execute(query).mappings().first()

    def update(self, connection: sa.Connection, row: sa.RowMapping, values: Mapping[str, object]) -> None:
        """Write into a locked row."""
        connection.execute(sa.update(tables.work_items).where(ITEMS.id == row["id"]).values(**values))

    def move(
        self,
        connection: sa.Connection,
        row: sa.RowMapping,
        to: Status,
        now: float,
        *,
        reason: str | None = None,
        attempt: int | None = None,
        values: Mapping[str, object] | None = None,
        events: Sequence[NewEvent] = (),
    ) -> None:
        """Bring a locked row into another state."""
        self.update(connection, row, consequences(row, to, now, attempt) | dict(values or {}))

    def start(
        self,
        connection: sa.Connection,
        row: sa.RowMapping,
        now: float,
        values: Mapping[str, object],
        events: Sequence[NewEvent] = (),
    ) -> None:
        """Begin the next attempt at a locked row."""
        expired = row["state"] == Status.RUNNING
        self.move(
            connection,
            row,
            Status.RUNNING,
            now,
            reason="lease_expired" if expired else None,
            attempt=row["attempt"] + 1,
            values=values,
            events=events,
        )

    def fail(
        self,
        connection: sa.Connection,
        row: sa.RowMapping,
        now: float,
        failure: Failure,
        values: Mapping[str, object] | None = None,
    ) -> None:
        """Close a locked row as one that cannot be done."""
        ending = {"error": asdict(failure), **(values or {})}
        self.move(connection, row, Status.FAILED, now, reason=failure.code, values=ending)

    def cancel(self, connection: sa.Connection, row: sa.RowMapping, now: float) -> None:
        """Close a locked row as cancelled."""
        self.move(connection, row, Status.CANCELLED, now, reason="requested")

    def lost(self, connection: sa.Connection, row: sa.RowMapping, setbacks: int) -> Failure:
        """What is said of a row whose workers were lost too often."""
        return Failure("worker_lost", f"{setbacks} workers were lost while they made {self.what}")


def consequences(row: sa.RowMapping, to: Status, now: float, attempt: int | None = None) -> dict[str, object]:
    """What a move changes in the columns of every item: the only place where a stored state changes."""
    state = Status(row["state"])
    if to not in MOVES[state]:
        raise IllegalMove(row["id"], state, to)
    changed: dict[str, object] = {"state": to.value}
    if attempt is not None:
        changed["attempt"] = attempt
    if state is Status.RUNNING:
        spent = max(0.0, min(now, row["lease_until"]) - (row["claimed_at"] or now))
        changed["spent_seconds"] = row["spent_seconds"] + spent
    if to is Status.RUNNING:
        changed["claimed_at"] = now
    else:
        changed |= {"lease_until": None, "worker": None, "claimed_at": None}
    if to.terminal:
        changed |= {"finished_at": now, "control": None}
    if to is Status.PAUSED:
        changed["control"] = None
    if to is Status.QUEUED:  # as if it were new
        changed["published_at"] = None
    return changed


def new_item(
    item_id: str,
    kind: str,
    now: float,
    principal: Principal,
    *,
    queue: str,
    priority: int,
    topic: str | None = None,
    request: Mapping[str, JsonValue] | None = None,
) -> dict[str, object]:
    """The row of an item that has just been queued."""
    return {
        "id": item_id,
        "kind": kind,
        "topic": topic or item_id,
        "tenant": principal.tenant,
        "created_by": principal.name,
        "queue": queue,
        "priority": priority,
        "state": Status.QUEUED.value,
        "request": None if request is None else dict(request),
        "attempt": 0,
        "setbacks": 0,
        "revision": 0,
        "created_at": now,
        "spent_seconds": 0.0,
    }


def item_of(row: sa.RowMapping) -> WorkItem:
    """The item of a row."""
    return WorkItem(
        id=row["id"],
        kind=row["kind"],
        topic=row["topic"],
        principal=Principal(row["created_by"], row["tenant"]),
        queue=row["queue"],
        priority=row["priority"],
        state=Status(row["state"]),
        request=row["request"],
        progress=row["progress"],
        result=row["result"],
        error=None if row["error"] is None else Failure(**row["error"]),
        attempt=row["attempt"],
        control=row["control"],
        revision=row["revision"],
        spent_seconds=row["spent_seconds"],
        created_at=moment(row["created_at"]),
        started_at=moment_or_none(row["started_at"]),
        finished_at=moment_or_none(row["finished_at"]),
    )
