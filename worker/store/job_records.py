"""A row of the table `jobs` as the job that it stands for."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from worker.domain.jobs import Job, Milestone, Progress
from worker.domain.work_items import Failure, Status
from worker.errors import UnknownJob
from worker.storage import tables
from worker.storage.database import Database
from worker.store.item_rows import ITEMS
from worker.store.job_rows import JOB_ROW, JOIN, KIND
from worker.store.times import moment, moment_or_none

MOST_COUNTED = 1000
"""Of more jobs nobody counts how many wait before one: looking at a job costs the same however many there are."""

SEEN_SECONDS = 30.0
"""A worker that was not seen for longer is taken to be gone."""


def read_job(database: Database, connection: sa.Connection, tenant: str, job_id: str) -> Job:
    """A tenant's job inside a transaction that is under way; raises UnknownJob."""
    row = connection.execute(ONE, {"job_id": job_id, "tenant": tenant}).mappings().first()
    if row is None:
        raise UnknownJob(job_id)
    position = queue_position(connection, row) if row["state"] == Status.QUEUED else None
    return job_of(row, served(connection, database.now(connection)), position)


def served(connection: sa.Connection, now: float) -> str:
    """The queues of the workers that live, each between commas."""
    return "".join(connection.scalars(SERVED, {"seen_after": now - SEEN_SECONDS}))


JOB = sa.select(*JOB_ROW).select_from(JOIN)
ONE = JOB.where(ITEMS.id == sa.bindparam("job_id"), ITEMS.tenant == sa.bindparam("tenant"))
SERVED = sa.select(tables.workers.c.queues).where(tables.workers.c.seen_at > sa.bindparam("seen_after"))


def queue_position(connection: sa.Connection, row: sa.RowMapping) -> int | None:
    """How many jobs of its queue will be claimed before a queued job, and one; None behind more than are counted."""
    place = {name: row[name] for name in ("queue", "priority", "created_at", "id")}
    urgent: int = connection.scalar(MORE_URGENT, place) or 0
    ahead = urgent if urgent >= MOST_COUNTED else urgent + (connection.scalar(EARLIER, place) or 0)
    return None if ahead >= MOST_COUNTED else ahead + 1


def count_waiting(*conditions: sa.ColumnElement[bool]) -> sa.Select[int]:
    """How many jobs wait in the queue `queue` and meet the conditions, as far as they are counted."""
    waiting = sa.select(sa.literal(1)).where(
        ITEMS.queue == sa.bindparam("queue"), ITEMS.state == Status.QUEUED.value, ITEMS.kind == KIND, *conditions
    )
    return sa.select(sa.func.count()).select_from(waiting.limit(MOST_COUNTED).subquery())


MORE_URGENT = count_waiting(ITEMS.priority > sa.bindparam("priority"))
EARLIER = count_waiting(
    ITEMS.priority == sa.bindparam("priority"),
    sa.tuple_(ITEMS.created_at, ITEMS.id) < sa.tuple_(sa.bindparam("created_at"), sa.bindparam("id")),
)


def waiting_reason(state: Status, queue: str, live: str) -> str | None:
    """Why a job does not train that could."""
    if state is Status.QUEUED:
        return "workers_busy" if f",{queue}," in live else "no_capable_worker"
    return "paused" if state is Status.PAUSED else None


def job_of(row: sa.RowMapping | Mapping[str, Any], live: str, position: int | None = None) -> Job:
    """The job of a row; `live` are the queues that `served` names, the position is known of single jobs only."""
    state = Status(row["state"])
    return Job(
        id=row["id"],
        name=row["name"],
        state=state,
        spec=row["spec"],
        seed=row["seed"],
        queue=row["queue"],
        priority=row["priority"],
        data_hash=row["data_hash"],
        created_by=row["created_by"],
        attempt=row["attempt"],
        created_at=moment(row["created_at"]),
        updated_at=moment(row["updated_at"]),
        started_at=moment_or_none(row["started_at"]),
        finished_at=moment_or_none(row["finished_at"]),
        spent_seconds=row["spent_seconds"],
        stage=row["stage"],
        epoch=row["epoch"],
        epochs=row["epochs"],
        progress=None if row["progress"] is None else Progress(**row["progress"]),
        environment=row["environment"],
        revision=row["revision"],
        rerun_of=row["rerun_of"],
        pending=row["control"],
        stop_reason=row["stop_reason"],
        error=Failure(**row["error"]) if row["error"] is not None else None,
        result=row["result"],
        warnings=row["warnings"],
        version=row["version"],
        waiting_reason=waiting_reason(state, row["queue"], live),
        queue_position=position,
        timeline=tuple(
            Milestone(Status(entry["state"]), moment(entry["at"]), entry["attempt"], entry["reason"])
            for entry in row["timeline"]
        ),
    )
