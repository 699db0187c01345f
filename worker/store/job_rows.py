"""A job's two rows, as a work item and in the table `jobs`: locked together, changed together, with numbered events."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import sqlalchemy as sa
from pydantic import JsonValue

from worker.domain.jobs import Checkpoint
from worker.domain.work_items import Failure, Status
from worker.errors import UnknownJob
from worker.storage import tables
from worker.store.checkpoints import newest_checkpoint
from worker.store.gradient_reports import discard_reports
from worker.store.item_rows import ItemRows, NewEvent, consequences

JOBS = tables.jobs.c
KIND = "train"
JOB_COLUMNS = frozenset(column.name for column in JOBS) - {"id"}
JOB_ROW: tuple[sa.ColumnElement[object], ...] = (
    *tables.work_items.c,
    *(column for column in JOBS if column.name != "id"),
)
JOIN = tables.work_items.join(tables.jobs, JOBS.id == tables.work_items.c.id)


class JobRows(ItemRows):
    """The rows of training jobs."""

    def lock(self, connection: sa.Connection, item_id: str) -> sa.RowMapping | None:
        query = sa.select(*JOB_ROW).select_from(JOIN).where(JOBS.id == item_id).with_for_update()
        return connection.execute(query).mappings().first()

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
        state = Status(row["state"])
        number: int = row["attempt"] if attempt is None else attempt
        entered = timeline_entry(to, now, attempt=number, reason=reason)
        changed = consequences(row, to, now, number) | {"timeline": [*row["timeline"], entered]}
        if to.terminal:
            changed["stage"] = "done"
        elif to is not Status.RUNNING:
            changed["stage"] = "waiting"
        story: dict[str, JsonValue] = {"from": state.value, "to": to.value, "reason": reason}
        change_job(connection, row, now, changed | dict(values or {}), (*events, NewEvent("state", story)))

    def start(
        self,
        connection: sa.Connection,
        row: sa.RowMapping,
        now: float,
        values: Mapping[str, object],
        events: Sequence[NewEvent] = (),
    ) -> None:
        kept, resumed = rewind(connection, row["id"], newest_checkpoint(connection, row["id"]))
        beginning = {**values, **kept, "batch": 0, "stage": "preparing"}
        super().start(connection, row, now, beginning, [resumed, *events] if row["attempt"] else events)

    def fail(
        self,
        connection: sa.Connection,
        row: sa.RowMapping,
        now: float,
        failure: Failure,
        values: Mapping[str, object] | None = None,
    ) -> None:
        ending = {"error": asdict(failure), "stop_reason": "failed", **(values or {})}
        told = [NewEvent("error", asdict(failure))]
        self.move(connection, row, Status.FAILED, now, reason=failure.code, values=ending, events=told)

    def cancel(self, connection: sa.Connection, row: sa.RowMapping, now: float) -> None:
        ending = {"stop_reason": "cancelled"}
        self.move(connection, row, Status.CANCELLED, now, reason="requested", values=ending)

    def lost(self, connection: sa.Connection, row: sa.RowMapping, setbacks: int) -> Failure:
        workers = tables.workers.c
        held = connection.scalar(sa.select(workers.memory_bytes).where(workers.id == row["worker"]))
        memory = f"; the last held {held >> 20} MiB of memory when it was last seen" if held else ""
        return Failure(
            "worker_lost",
            f"{setbacks} workers in a row were lost while they trained this job, without a new checkpoint{memory}",
            hint="the job may need more memory than a worker has: try a smaller network or batch_size",
        )


JOB_ROWS = JobRows()


def lock_job(connection: sa.Connection, tenant: str, job_id: str) -> sa.RowMapping:
    """The rows of a tenant's job, which nobody else can change before the end of the transaction; raises UnknownJob."""
    row = JOB_ROWS.lock(connection, job_id)
    if row is None or row["tenant"] != tenant:
        raise UnknownJob(job_id)
    return row


def change_job(
    connection: sa.Connection,
    row: sa.RowMapping,
    now: float,
    values: Mapping[str, object],
    events: Sequence[NewEvent] = (),
) -> None:
    """Write `values` into the locked rows of a job, each where it belongs, and `events` behind its others."""
    seq: int = row["seq"]
    attempt = values.get("attempt", row["attempt"])
    if events:
        connection.execute(
            sa.insert(tables.events),
            [
                {
                    "job_id": row["id"],
                    "seq": seq + number,
                    "type": event.type,
                    "at": now,
                    "attempt": attempt,
                    "data": dict(event.data),
                }
                for number, event in enumerate(events, 1)
            ],
        )
    own = {"version": row["version"] + 1, "seq": seq + len(events), "updated_at": now}
    own |= {name: value for name, value in values.items() if name in JOB_COLUMNS}
    connection.execute(sa.update(tables.jobs).where(JOBS.id == row["id"]).values(**own))
    if general := {name: value for name, value in values.items() if name not in JOB_COLUMNS}:
        ItemRows.update(JOB_ROWS, connection, row, general)


def timeline_entry(state: Status, at: float, *, attempt: int, reason: str | None) -> dict[str, JsonValue]:
    """A state that the job entered, as it is stored."""
    return {"state": state.value, "at": at, "attempt": attempt, "reason": reason}


def rewind(connection: sa.Connection, job_id: str, to: Checkpoint | None) -> tuple[dict[str, object], NewEvent]:
    """Discard what a locked job has measured behind a checkpoint, or altogether; what it stands at then, and the event.

    The next attempt trains those epochs again, so that each stands there exactly once.
    """
    epoch, step = (to.epoch, to.step) if to else (0, 0)
    for written in (tables.metrics, tables.layer_statistics):
        connection.execute(sa.delete(written).where(written.c.job_id == job_id, written.c.epoch > epoch))
    discard_reports(connection, job_id, after=epoch if to else None)
    told: dict[str, JsonValue] = {"epoch": epoch, "step": step, "checkpoint": to.number if to else None}
    kept: dict[str, object] = {"epoch": epoch, "warnings": len(read_warnings(connection, job_id, epoch))}
    return kept, NewEvent("resumed", told)


def read_warnings(connection: sa.Connection, job_id: str, epoch: int | None) -> tuple[Mapping[str, JsonValue], ...]:
    """What the job was warned of in epochs that still count; those that were trained again do not."""
    columns = tables.events.c
    query = (
        sa.select(columns.type, columns.data)
        .where(columns.job_id == job_id, columns.type.in_(("warning", "resumed")))
        .order_by(columns.seq)
    )
    counted: list[Mapping[str, JsonValue]] = []
    for kind, data in [*connection.execute(query), *([] if epoch is None else [("resumed", {"epoch": epoch})])]:
        if kind == "warning":
            counted.append(data)
        else:
            counted = [one for one in counted if data["epoch"] and (one.get("epoch") or 0) <= data["epoch"]]
    return tuple(counted)
