"""The jobs as their owners see them: made, looked at, paused, resumed, stopped, cancelled, deleted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic

import sqlalchemy as sa
from pydantic import JsonValue

from worker import tables
from worker.database import Database
from worker.errors import (
    ControlPending,
    IllegalMove,
    JobInUse,
    NothingToKeep,
    QueueFull,
    UnknownCheckpoint,
    UnknownDataset,
    UnknownJob,
)
from worker.ids import new_id
from worker.jobs import Control, Failure, Job, Milestone, Progress, Status
from worker.once import Once
from worker.records import Page
from worker.store.checkpoints import MODEL, forget, newest_checkpoint, read_checkpoint, started_from
from worker.store.idempotency_keys import created_before, note_created
from worker.store.moves import Note, change, locked, milestone, move
from worker.store.times import moment, moment_or_none

SEEN_SECONDS = 30.0
"""A worker that was not seen for longer is taken to be gone."""


COUNT_SECONDS = 1.0
"""So often are the jobs that wait counted: with many of them it would cost more than to add one."""


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
    checkpoints: Mapping[str, str] = field(default_factory=dict)
    priority: int = 5
    rerun_of: str | None = None


class Jobs:
    """Rows of the table `jobs`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting = 0  # jobs, as last counted
        self._counted_at = float("-inf")

    def create(self, draft: Draft, *, max_queued: int, once: Once | None = None) -> Job:
        """Queue a job; its datasets cannot be deleted from here on until it is done."""
        job_id = new_id("job")
        with self._database.write() as connection:
            now = self._database.now(connection)
            if (known := created_before(connection, once)) is not None:
                return read_job(self._database, connection, known)
            self._refuse_if_many(connection, max_queued)
            _hold(connection, draft.datasets)
            _hold_checkpoints(connection, draft.checkpoints)
            connection.execute(NEW, _first_row(job_id, draft, now))
            story = {"from": None, "to": Status.QUEUED.value, "reason": None}
            told = {"job_id": job_id, "seq": 1, "type": "state", "at": now, "attempt": 0, "data": story}
            connection.execute(TOLD, told)
            inputs = [
                {"job_id": job_id, "reference": reference, "kind": kind, "input_id": input_id}
                for kind, named in (
                    ("dataset", draft.datasets),
                    ("parameters", draft.parameters),
                    ("checkpoint", draft.checkpoints),
                )
                for reference, input_id in named.items()
            ]
            if inputs:
                connection.execute(NEEDED, inputs)
            if draft.rerun_of is not None:
                _plan_revisions(connection, draft.rerun_of, job_id, now)
            note_created(connection, once, job_id)
            return read_job(self._database, connection, job_id)

    def _refuse_if_many(self, connection: sa.Connection, max_queued: int) -> None:
        """Raise `QueueFull`; the jobs are counted now and then, and what this process adds meanwhile is added up."""
        if monotonic() - self._counted_at > COUNT_SECONDS:
            self._waiting = connection.scalar(WAITING) or 0
            self._counted_at = monotonic()
        if self._waiting >= max_queued:
            raise QueueFull(max_queued)
        self._waiting += 1

    def get(self, job_id: str) -> Job:
        """The job as it is now."""
        with self._database.read() as connection:
            return read_job(self._database, connection, job_id)

    def page(self, *, limit: int, after: str | None, state: Status | None) -> Page[Job]:
        """Jobs older than `after`, newest first."""
        with self._database.read() as connection:
            query = WHOLE.order_by(tables.jobs.c.id.desc()).limit(limit + 1)
            if after is not None:
                query = query.where(tables.jobs.c.id < after)
            if state is not None:
                query = query.where(tables.jobs.c.state == state.value)
            rows = connection.execute(query, _seen_lately(self._database, connection)).mappings().all()
        return Page(tuple(_job(row) for row in rows[:limit]), has_more=len(rows) > limit)

    def cancel(self, job_id: str) -> Job:
        """End a job that no worker has at once; ask the worker of a running one to stop."""
        with self._database.write() as connection:
            row = locked(connection, job_id)
            now = self._database.now(connection)
            state = Status(row["state"])
            if state in (Status.QUEUED, Status.PAUSED):
                values = {"stop_reason": "cancelled"}
                move(connection, row, Status.CANCELLED, now, reason="requested", values=values)
            elif state is Status.RUNNING:
                _ask(connection, row, now, "cancel")
            elif state is not Status.CANCELLED:
                raise IllegalMove(job_id, state, Status.CANCELLED)
            return read_job(self._database, connection, job_id)

    def pause(self, job_id: str) -> Job:
        """Have a queued job wait at once; ask the worker of a running one to save it and let it go."""
        with self._database.write() as connection:
            row = locked(connection, job_id)
            now = self._database.now(connection)
            state = Status(row["state"])
            if row["control"] in ("stop", "cancel"):
                raise ControlPending(job_id, state, row["control"], "pause")
            if state is Status.QUEUED:
                move(connection, row, Status.PAUSED, now, reason="requested")
            elif state is Status.RUNNING:
                _ask(connection, row, now, "pause")
            elif state is not Status.PAUSED:
                raise IllegalMove(job_id, state, Status.PAUSED)
            return read_job(self._database, connection, job_id)

    def resume(self, job_id: str, checkpoint: int | None = None) -> tuple[Job, tuple[str, ...]]:
        """Queue a paused job, or take a pause back that no worker has confirmed.

        With the number of a checkpoint the job goes on from there, as it was then: what it became behind it is
        forgotten, later revisions are undone. Only a paused job can; files that nothing needs then are handed out.
        """
        with self._database.write() as connection:
            row = locked(connection, job_id)
            now = self._database.now(connection)
            state = Status(row["state"])
            if row["control"] in ("stop", "cancel"):
                raise ControlPending(job_id, state, row["control"], "resume")
            if state.terminal or (checkpoint is not None and state is not Status.PAUSED):
                raise IllegalMove(job_id, state, Status.QUEUED)
            files: tuple[str, ...] = ()
            if checkpoint is not None:
                values, notes, files = _back_to(connection, row, now, checkpoint)
                move(connection, row, Status.QUEUED, now, reason="resumed", values=values, notes=notes)
            elif state is Status.PAUSED:
                move(connection, row, Status.QUEUED, now, reason="resumed")
            elif row["control"] == "pause":
                change(connection, row, now, {"control": None}, [Note("resume_requested")])
            return read_job(self._database, connection, job_id), files

    def stop(self, job_id: str) -> Job:
        """Ask for the end, with the best model so far kept; a job that no worker has needs one for that."""
        with self._database.write() as connection:
            row = locked(connection, job_id)
            now = self._database.now(connection)
            state = Status(row["state"])
            if row["control"] == "cancel":
                raise ControlPending(job_id, state, "cancel", "stop")
            if state is Status.SUCCEEDED and row["stop_reason"] == "stopped_by_user":
                return read_job(self._database, connection, job_id)
            if state.terminal:
                raise IllegalMove(job_id, state, Status.SUCCEEDED)
            if state is not Status.RUNNING and newest_checkpoint(connection, job_id) is None:
                raise NothingToKeep(job_id, state)
            if state is Status.PAUSED:
                values = {"control": "stop"}
                move(connection, row, Status.QUEUED, now, reason="stop_requested", values=values)
            else:
                _ask(connection, row, now, "stop")
            return read_job(self._database, connection, job_id)

    def delete(self, job_id: str) -> tuple[str, ...]:
        """Forget a job that is done, and all that it measured; the files that are superfluous then.

        Raises JobInUse while it is not done, or while one that is not done starts from it.
        """
        with self._database.write() as connection:
            row = locked(connection, job_id)
            state = Status(row["state"])
            if not state.terminal:
                raise JobInUse(job_id, f"it is {state}; cancel it first")
            for needs in started_from(connection, job_id).values():
                raise JobInUse(job_id, f"job {needs} starts from it and is not done")
            files = [
                file
                for table in (tables.checkpoints, tables.models)
                for file in connection.scalars(sa.select(table.c.file).where(table.c.job_id == job_id))
            ]
            connection.execute(sa.delete(tables.jobs).where(tables.jobs.c.id == job_id))
            return tuple(files)

    def inputs(self, job_id: str) -> dict[str, dict[str, str]]:
        """`{"dataset": {reference: id}, "parameters": {…}, "checkpoint": {…}}` of what the job needs.

        A checkpoint is named `job_…/3`, the model that a job has kept `job_…/model`.
        """
        columns = tables.job_inputs.c
        with self._database.read() as connection:
            query = sa.select(columns.kind, columns.reference, columns.input_id)
            rows = connection.execute(query.where(columns.job_id == job_id)).all()
        found: dict[str, dict[str, str]] = {"dataset": {}, "parameters": {}, "checkpoint": {}}
        for kind, reference, input_id in rows:
            found[kind][reference] = input_id
        return found


def read_job(database: Database, connection: sa.Connection, job_id: str) -> Job:
    """The job inside a transaction that is under way."""
    row = connection.execute(ONE, {"job_id": job_id, **_seen_lately(database, connection)}).mappings().first()
    if row is None:
        raise UnknownJob(job_id)
    return _job(row, row["position"])


def _seen_lately(database: Database, connection: sa.Connection) -> dict[str, float]:
    return {"seen_after": database.now(connection) - SEEN_SECONDS}


def _position() -> sa.ColumnElement[int | None]:
    """How many jobs of its queue will be claimed before a queued job, and one."""
    job, ahead = tables.jobs.c, tables.jobs.alias("ahead").c
    waiting = sa.select(sa.func.count()).where(ahead.queue == job.queue, ahead.state == Status.QUEUED.value)
    more_urgent = waiting.where(ahead.priority > job.priority).correlate(tables.jobs).scalar_subquery()
    earlier = waiting.where(ahead.priority == job.priority, ahead.id < job.id).correlate(tables.jobs).scalar_subquery()
    return sa.case((job.state == Status.QUEUED.value, more_urgent + earlier + 1))


WAITING = sa.select(sa.func.count()).select_from(tables.jobs).where(tables.jobs.c.state == Status.QUEUED.value)
WHOLE = sa.select(  # every column, and whether a live worker serves the job's queue
    tables.jobs,
    sa.exists()
    .where(
        tables.workers.c.seen_at > sa.bindparam("seen_after"),
        tables.workers.c.queues.like("%," + tables.jobs.c.queue + ",%"),
    )
    .label("served"),
)
ONE = WHOLE.add_columns(_position().label("position")).where(tables.jobs.c.id == sa.bindparam("job_id"))
NEW, TOLD, NEEDED = sa.insert(tables.jobs), sa.insert(tables.events), sa.insert(tables.job_inputs)


def _first_row(job_id: str, draft: Draft, now: float) -> dict[str, object]:
    """A job that has just been queued, and has told so in its first event."""
    return {
        "id": job_id,
        "name": draft.name,
        "state": Status.QUEUED.value,
        "spec": dict(draft.spec),
        "seed": draft.seed,
        "queue": draft.queue,
        "priority": draft.priority,
        "data_hash": draft.data_hash,
        "attempt": 0,
        "setbacks": 0,
        "batch": 0,
        "created_at": now,
        "updated_at": now,
        "spent_seconds": 0.0,
        "stage": "waiting",
        "epoch": 0,
        "epochs": draft.epochs,
        "revision": 0,
        "checkpoint": 0,
        "rerun_of": draft.rerun_of,
        "warnings": 0,
        "version": 1,
        "seq": 1,
        "timeline": [milestone(Status.QUEUED, now, attempt=0, reason=None)],
    }


def _job(row: sa.RowMapping, position: int | None = None) -> Job:
    state = Status(row["state"])
    waiting = None
    if state is Status.QUEUED:
        waiting = "workers_busy" if row["served"] else "no_capable_worker"
    elif state is Status.PAUSED:
        waiting = "paused"
    return Job(
        id=row["id"],
        name=row["name"],
        state=state,
        spec=row["spec"],
        seed=row["seed"],
        queue=row["queue"],
        priority=row["priority"],
        data_hash=row["data_hash"],
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
        waiting_reason=waiting,
        queue_position=position,
        timeline=tuple(
            Milestone(Status(entry["state"]), moment(entry["at"]), entry["attempt"], entry["reason"])
            for entry in row["timeline"]
        ),
    )


def _plan_revisions(connection: sa.Connection, rerun_of: str, job_id: str, now: float) -> None:
    """Have the changes that were made while a job trained made again, before the same epochs."""
    columns = tables.revisions.c
    query = sa.select(tables.revisions).where(
        columns.job_id == rerun_of, columns.effective_epoch.isnot(None), columns.undone_at.is_(None)
    )
    made = connection.execute(query.order_by(columns.number)).mappings().all()
    for number, revision in enumerate(made, 1):
        again = {"job_id": job_id, "number": number, "created_at": now, "checkpoint": None}
        connection.execute(sa.insert(tables.revisions).values(**{**revision, **again}))
    if made:
        connection.execute(sa.update(tables.jobs).where(tables.jobs.c.id == job_id).values(revision=len(made)))


def _ask(connection: sa.Connection, row: sa.RowMapping, now: float, control: Control) -> None:
    """Leave a wish for the worker of a locked job; one that is there already stays."""
    if row["control"] != control:
        change(connection, row, now, {"control": control}, [Note(f"{control}_requested")])


def _back_to(
    connection: sa.Connection, row: sa.RowMapping, now: float, number: int
) -> tuple[dict[str, object], list[Note], tuple[str, ...]]:
    """Make an older checkpoint of a locked job its newest: columns to change, what to tell, superfluous files."""
    wanted = read_checkpoint(connection, row["id"], number)
    columns, revisions = tables.checkpoints.c, tables.revisions.c
    later = sa.select(columns.number).where(columns.job_id == row["id"], columns.number > number)
    files = forget(connection, row["id"], list(connection.scalars(later)))
    behind = sa.and_(
        revisions.job_id == row["id"], revisions.number > wanted.revision, revisions.undone_at.is_(sa.null())
    )
    undone = list(connection.scalars(sa.select(revisions.number).where(behind).order_by(revisions.number)))
    connection.execute(sa.update(tables.revisions).where(behind).values(undone_at=now))
    spec = row["spec"]
    if wanted.revision:
        query = sa.select(revisions.spec).where(revisions.job_id == row["id"], revisions.number == wanted.revision)
        spec = connection.execute(query).scalar_one()
    values = {
        "revision": wanted.revision,
        "epoch": wanted.epoch,
        "epochs": spec["training"]["epochs"],
        "progress": None,
    }
    story: dict[str, JsonValue] = {"checkpoint": number, "epoch": wanted.epoch, "undone": list(undone)}
    return values, [Note("went_back", story)], files


def _hold(connection: sa.Connection, datasets: Mapping[str, str]) -> None:
    """Lock the datasets' rows against a deletion at the same moment."""
    query = sa.select(tables.datasets.c.id).where(tables.datasets.c.id.in_(datasets.values()))
    found = set(connection.scalars(query.with_for_update(read=True)))
    for reference, dataset_id in datasets.items():
        if dataset_id not in found:
            raise UnknownDataset(reference, pointer="/data/train", hint="It was deleted just now.")


def _hold_checkpoints(connection: sa.Connection, checkpoints: Mapping[str, str]) -> None:
    """Lock the jobs that are started from, so that what is needed of them stays; see that it is still there."""
    for held in checkpoints.values():
        job_id, _, which = held.rpartition("/")
        locked(connection, job_id)
        if which == MODEL:
            query = sa.select(tables.models.c.job_id).where(tables.models.c.job_id == job_id)
            if connection.scalar(query) is None:
                raise UnknownCheckpoint(job_id, "best", pointer="/start_from/checkpoint")
            continue
        read_checkpoint(connection, job_id, int(which), pointer="/start_from/checkpoint")
