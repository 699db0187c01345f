"""What every change of a job has in common: the row is locked, the move is legal, the events are numbered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from pydantic import JsonValue

from worker.domain.jobs import MOVES, Status
from worker.errors import IllegalMove, UnknownJob
from worker.storage import tables


@dataclass(frozen=True)
class Note:
    """An event before the store has numbered it."""

    type: str
    data: Mapping[str, JsonValue] = field(default_factory=dict)


def locked(connection: sa.Connection, job_id: str) -> sa.RowMapping:
    """The job's row, which nobody else can change before the end of the transaction."""
    query = sa.select(tables.jobs).where(tables.jobs.c.id == job_id).with_for_update()
    row = connection.execute(query).mappings().first()
    if row is None:
        raise UnknownJob(job_id)
    return row


def change(
    connection: sa.Connection,
    row: sa.RowMapping,
    now: float,
    values: Mapping[str, object],
    notes: Sequence[Note] = (),
) -> None:
    """Write `values` into a locked row and `notes` behind its events."""
    seq: int = row["seq"]
    attempt = values.get("attempt", row["attempt"])
    if notes:
        connection.execute(
            sa.insert(tables.events),
            [
                {
                    "job_id": row["id"],
                    "seq": seq + number,
                    "type": note.type,
                    "at": now,
                    "attempt": attempt,
                    "data": dict(note.data),
                }
                for number, note in enumerate(notes, 1)
            ],
        )
    connection.execute(
        sa.update(tables.jobs)
        .where(tables.jobs.c.id == row["id"])
        .values(**{"version": row["version"] + 1, "seq": seq + len(notes), "updated_at": now, **values})
    )


def move(
    connection: sa.Connection,
    row: sa.RowMapping,
    to: Status,
    now: float,
    *,
    reason: str | None = None,
    attempt: int | None = None,
    values: Mapping[str, object] | None = None,
    notes: Sequence[Note] = (),
) -> None:
    """Bring a locked job into another state: the only place where a stored state changes."""
    state = Status(row["state"])
    if to not in MOVES[state]:
        raise IllegalMove(row["id"], state, to)
    number: int = row["attempt"] if attempt is None else attempt
    entered = milestone(to, now, attempt=number, reason=reason)
    consequences: dict[str, object] = {
        "state": to.value,
        "attempt": number,
        "timeline": [*row["timeline"], entered],
    }
    if state is Status.RUNNING:
        spent = max(0.0, min(now, row["lease_until"]) - (row["claimed_at"] or now))
        consequences |= {"spent_seconds": row["spent_seconds"] + spent}
    if to is Status.RUNNING:
        consequences |= {"claimed_at": now}
    else:
        consequences |= {"lease_until": None, "worker": None, "claimed_at": None}
    if to.terminal:
        consequences |= {"finished_at": now, "stage": "done", "control": None}
    if to is Status.PAUSED:
        consequences |= {"stage": "waiting", "control": None}
    if to is Status.QUEUED:  # as if it were new
        consequences |= {"published_at": None, "stage": "waiting"}
    story: dict[str, JsonValue] = {"from": state.value, "to": to.value, "reason": reason}
    change(connection, row, now, consequences | dict(values or {}), (*notes, Note("state", story)))


def milestone(state: Status, at: float, *, attempt: int, reason: str | None) -> dict[str, JsonValue]:
    """An entry of the timeline, as it is stored."""
    return {"state": state.value, "at": at, "attempt": attempt, "reason": reason}
