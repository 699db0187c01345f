"""The jobs as their owners see them: made, looked at, cancelled."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from pydantic import JsonValue

from worker import tables
from worker.database import Database
from worker.errors import IllegalMove, QueueFull, UnknownDataset, UnknownJob
from worker.ids import new_id
from worker.jobs import Failure, Job, Milestone, Status
from worker.records import Page
from worker.store.moves import Note, change, locked, milestone, move

SEEN_SECONDS = 30.0
"""A worker that was not seen for longer is taken to be gone."""


@dataclass(frozen=True)
class Draft:
    """A job that has been checked and not yet stored; inputs map a reference of the spec to an id."""

    name: str | None
    spec: Mapping[str, JsonValue]
    seed: int
    queue: str
    epochs: int
    data_hash: str
    datasets: Mapping[str, str]
    parameters: Mapping[str, str]


class Jobs:
    """Rows of the table `jobs`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, draft: Draft, *, max_queued: int) -> Job:
        """Queue a job; its datasets cannot be deleted from here on until it is done."""
        job_id = new_id("job")
        with self._database.write() as connection:
            now = self._database.now(connection)
            if _count_queued(connection) >= max_queued:
                raise QueueFull(max_queued)
            _hold(connection, draft.datasets)
            connection.execute(
                sa.insert(tables.jobs).values(
                    id=job_id,
                    name=draft.name,
                    state=Status.QUEUED.value,
                    spec=dict(draft.spec),
                    seed=draft.seed,
                    queue=draft.queue,
                    data_hash=draft.data_hash,
                    attempt=0,
                    setbacks=0,
                    batch=0,
                    created_at=now,
                    updated_at=now,
                    stage="waiting",
                    epoch=0,
                    epochs=draft.epochs,
                    warnings=0,
                    version=0,
                    seq=0,
                    timeline=[milestone(Status.QUEUED, now, attempt=0, reason=None)],
                )
            )
            row = locked(connection, job_id)
            change(connection, row, now, {}, [Note("state", {"from": None, "to": "queued", "reason": None})])
            inputs = [
                {"job_id": job_id, "reference": reference, "kind": kind, "input_id": input_id}
                for kind, named in (("dataset", draft.datasets), ("parameters", draft.parameters))
                for reference, input_id in named.items()
            ]
            if inputs:
                connection.execute(sa.insert(tables.job_inputs), inputs)
            return read_job(self._database, connection, job_id)

    def get(self, job_id: str) -> Job:
        """The job as it is now."""
        with self._database.read() as connection:
            return read_job(self._database, connection, job_id)

    def page(self, *, limit: int, after: str | None, state: Status | None) -> Page[Job]:
        """Jobs older than `after`, newest first."""
        with self._database.read() as connection:
            query = _select(self._database.now(connection)).order_by(tables.jobs.c.id.desc()).limit(limit + 1)
            if after is not None:
                query = query.where(tables.jobs.c.id < after)
            if state is not None:
                query = query.where(tables.jobs.c.state == state.value)
            rows = connection.execute(query).mappings().all()
        return Page(tuple(_job(row) for row in rows[:limit]), has_more=len(rows) > limit)

    def cancel(self, job_id: str) -> Job:
        """End a queued job at once; ask the worker of a running one to stop."""
        with self._database.write() as connection:
            row = locked(connection, job_id)
            now = self._database.now(connection)
            state = Status(row["state"])
            if state is Status.QUEUED:
                values = {"cancel_requested_at": now, "stop_reason": "cancelled"}
                move(connection, row, Status.CANCELLED, now, reason="requested", values=values)
            elif state is not Status.RUNNING:
                raise IllegalMove(job_id, state, Status.CANCELLED)
            elif row["cancel_requested_at"] is None:
                change(connection, row, now, {"cancel_requested_at": now}, [Note("cancel_requested")])
            return read_job(self._database, connection, job_id)

    def inputs(self, job_id: str) -> dict[str, dict[str, str]]:
        """`{"dataset": {reference: id}, "parameters": {reference: id}}` of what the job needs."""
        columns = tables.job_inputs.c
        with self._database.read() as connection:
            query = sa.select(columns.kind, columns.reference, columns.input_id)
            rows = connection.execute(query.where(columns.job_id == job_id)).all()
        found: dict[str, dict[str, str]] = {"dataset": {}, "parameters": {}}
        for kind, reference, input_id in rows:
            found[kind][reference] = input_id
        return found


def read_job(database: Database, connection: sa.Connection, job_id: str) -> Job:
    """The job inside a transaction that is under way."""
    query = _select(database.now(connection)).where(tables.jobs.c.id == job_id)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise UnknownJob(job_id)
    return _job(row)


def _select(now: float) -> sa.Select[tuple[object, ...]]:
    """Every column, and whether a live worker serves the job's queue."""
    served = sa.exists().where(
        tables.workers.c.seen_at > now - SEEN_SECONDS,
        tables.workers.c.queues.like("%," + tables.jobs.c.queue + ",%"),
    )
    return sa.select(tables.jobs, served.label("served"))


def _job(row: sa.RowMapping) -> Job:
    state = Status(row["state"])
    waiting = None
    if state is Status.QUEUED:
        waiting = "workers_busy" if row["served"] else "no_capable_worker"
    return Job(
        id=row["id"],
        name=row["name"],
        state=state,
        spec=row["spec"],
        seed=row["seed"],
        queue=row["queue"],
        data_hash=row["data_hash"],
        attempt=row["attempt"],
        created_at=moment(row["created_at"]),
        updated_at=moment(row["updated_at"]),
        started_at=_moment(row["started_at"]),
        finished_at=_moment(row["finished_at"]),
        stage=row["stage"],
        epoch=row["epoch"],
        epochs=row["epochs"],
        pending="cancel" if row["cancel_requested_at"] is not None and not state.terminal else None,
        stop_reason=row["stop_reason"],
        error=Failure(**row["error"]) if row["error"] is not None else None,
        result=row["result"],
        warnings=row["warnings"],
        version=row["version"],
        waiting_reason=waiting,
        timeline=tuple(
            Milestone(Status(entry["state"]), moment(entry["at"]), entry["attempt"], entry["reason"])
            for entry in row["timeline"]
        ),
    )


def moment(seconds: float) -> datetime:
    """The database's seconds as a time."""
    return datetime.fromtimestamp(seconds, UTC)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else moment(seconds)


def _count_queued(connection: sa.Connection) -> int:
    query = sa.select(sa.func.count()).select_from(tables.jobs).where(tables.jobs.c.state == Status.QUEUED.value)
    return connection.scalar(query) or 0


def _hold(connection: sa.Connection, datasets: Mapping[str, str]) -> None:
    """Lock the datasets' rows against a deletion at the same moment."""
    query = sa.select(tables.datasets.c.id).where(tables.datasets.c.id.in_(datasets.values()))
    found = set(connection.scalars(query.with_for_update(read=True)))
    for reference, dataset_id in datasets.items():
        if dataset_id not in found:
            raise UnknownDataset(reference, pointer="/data/train", hint="It was deleted just now.")
