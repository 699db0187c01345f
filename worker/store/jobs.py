"""The jobs as their owners see them: made, looked at, paused, resumed, stopped, cancelled, deleted."""

from collections.abc import Collection
from functools import cache
from itertools import islice

import sqlalchemy as sa
from pydantic import JsonValue

from worker.domain.jobs import Job, JobVersion
from worker.domain.paging import Page
from worker.domain.principals import Principal
from worker.domain.work_items import Control, Status
from worker.errors import ControlPending, IllegalMove, JobInUse, NothingToKeep
from worker.storage import tables
from worker.storage.database import Database
from worker.store.checkpoints import forget, newest_checkpoint, read_checkpoint, started_from
from worker.store.item_rows import ITEMS, NewEvent
from worker.store.job_records import JOB, job_of, read_job, served, waiting_reason
from worker.store.job_rows import JOB_ROWS, JOIN, KIND, change_job, lock_job
from worker.store.owned_jobs import is_job_of


class Jobs:
    """Rows of the table `jobs`, of one tenant."""

    def __init__(self, database: Database, principal: Principal) -> None:
        self._database = database
        self._tenant = principal.tenant

    def get(self, job_id: str) -> Job:
        """The job as it is now."""
        with self._database.read() as connection:
            return read_job(self._database, connection, self._tenant, job_id)

    def page(self, *, limit: int, after: str | None, state: Status | None) -> Page[JobVersion]:
        """Jobs older than `after`, newest first, each without its contents."""
        query = versions(older=after is not None, in_state=state is not None)
        asked = {"tenant": self._tenant, "limit": limit + 1, "after": after, "state": state and state.value}
        with self._database.read() as connection:
            rows = connection.execute(query, asked).all()
            live = served(connection, self._database.now(connection))
        found = (JobVersion(row.id, row.version, waiting_reason(Status(row.state), row.queue, live)) for row in rows)
        return Page(tuple(islice(found, limit)), has_more=len(rows) > limit)

    def find(self, job_ids: Collection[str]) -> dict[str, Job]:
        """Those of the jobs that there are, by id."""
        query = JOB.where(ITEMS.id.in_(job_ids), ITEMS.tenant == self._tenant)
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
            live = served(connection, self._database.now(connection))
        return {row["id"]: job_of(row, live) for row in rows}

    def cancel(self, job_id: str) -> Job:
        """End a job that no worker has at once; ask the worker of a running one to stop."""
        with self._database.write() as connection:
            row = lock_job(connection, self._tenant, job_id)
            now = self._database.now(connection)
            state = Status(row["state"])
            if state in (Status.QUEUED, Status.PAUSED):
                JOB_ROWS.cancel(connection, row, now)
            elif state is Status.RUNNING:
                _request_control(connection, row, now, "cancel")
            elif state is not Status.CANCELLED:
                raise IllegalMove(job_id, state, Status.CANCELLED)
            return read_job(self._database, connection, self._tenant, job_id)

    def pause(self, job_id: str) -> Job:
        """Have a queued job wait at once; ask the worker of a running one to save it and let it go."""
        with self._database.write() as connection:
            row = lock_job(connection, self._tenant, job_id)
            now = self._database.now(connection)
            state = Status(row["state"])
            if row["control"] in ("stop", "cancel"):
                raise ControlPending(job_id, state, row["control"], "pause")
            if state is Status.QUEUED:
                JOB_ROWS.move(connection, row, Status.PAUSED, now, reason="requested")
            elif state is Status.RUNNING:
                _request_control(connection, row, now, "pause")
            elif state is not Status.PAUSED:
                raise IllegalMove(job_id, state, Status.PAUSED)
            return read_job(self._database, connection, self._tenant, job_id)

    def resume(self, job_id: str, checkpoint: int | None = None) -> tuple[Job, tuple[str, ...]]:
        """Queue a paused job, or take a pause back that no worker has confirmed.

        With the number of a checkpoint the job goes on from there, as it was then: what it became behind it is
        forgotten, later revisions are undone. Only a paused job can; files that nothing needs then are handed out.
        """
        with self._database.write() as connection:
            row = lock_job(connection, self._tenant, job_id)
            now = self._database.now(connection)
            state = Status(row["state"])
            if row["control"] in ("stop", "cancel"):
                raise ControlPending(job_id, state, row["control"], "resume")
            if state.terminal or (checkpoint is not None and state is not Status.PAUSED):
                raise IllegalMove(job_id, state, Status.QUEUED)
            files: tuple[str, ...] = ()
            if checkpoint is not None:
                values, told, files = _return_to(connection, row, now, checkpoint)
                JOB_ROWS.move(connection, row, Status.QUEUED, now, reason="resumed", values=values, events=told)
            elif state is Status.PAUSED:
                JOB_ROWS.move(connection, row, Status.QUEUED, now, reason="resumed")
            elif row["control"] == "pause":
                change_job(connection, row, now, {"control": None}, [NewEvent("resume_requested")])
            return read_job(self._database, connection, self._tenant, job_id), files

    def stop(self, job_id: str) -> Job:
        """Ask for the end, with the best model so far kept; a job that no worker has needs one for that."""
        with self._database.write() as connection:
            row = lock_job(connection, self._tenant, job_id)
            now = self._database.now(connection)
            state = Status(row["state"])
            if row["control"] == "cancel":
                raise ControlPending(job_id, state, "cancel", "stop")
            if state is Status.SUCCEEDED and row["stop_reason"] == "stopped_by_user":
                return read_job(self._database, connection, self._tenant, job_id)
            if state.terminal:
                raise IllegalMove(job_id, state, Status.SUCCEEDED)
            if state is not Status.RUNNING and newest_checkpoint(connection, job_id) is None:
                raise NothingToKeep(job_id, state)
            if state is Status.PAUSED:
                values = {"control": "stop"}
                JOB_ROWS.move(connection, row, Status.QUEUED, now, reason="stop_requested", values=values)
            else:
                _request_control(connection, row, now, "stop")
            return read_job(self._database, connection, self._tenant, job_id)

    def delete(self, job_id: str) -> tuple[str, ...]:
        """Forget a job that is done, and all that it measured; the files that are superfluous then.

        Raises JobInUse while it is not done, or while one that is not done starts from it.
        """
        with self._database.write() as connection:
            row = lock_job(connection, self._tenant, job_id)
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
            connection.execute(sa.delete(tables.work_items).where(ITEMS.topic == job_id))  # and what hangs on it
            return tuple(files)

    def inputs(self, job_id: str) -> dict[str, dict[str, str]]:
        """`{"dataset": {reference: id}, "parameters": {…}, "checkpoint": {…}}` of what the job needs.

        A checkpoint is named `job_…/3`, the model that a job has kept `job_…/model`.
        """
        columns = tables.job_inputs.c
        with self._database.read() as connection:
            query = sa.select(columns.kind, columns.reference, columns.input_id)
            own = is_job_of(self._tenant, job_id)
            rows = connection.execute(query.where(columns.job_id == job_id, own)).all()
        found: dict[str, dict[str, str]] = {"dataset": {}, "parameters": {}, "checkpoint": {}}
        for kind, reference, input_id in rows:
            found[kind][reference] = input_id
        return found


@cache  # to put a statement together takes longer than to carry it out
def versions(*, older: bool, in_state: bool) -> sa.Select[tuple[str, int, str, str]]:
    """The newest jobs of a tenant: all, those older than `after`, those in a state."""
    query = (
        sa.select(tables.jobs.c.id, tables.jobs.c.version, ITEMS.state, ITEMS.queue)
        .select_from(JOIN)
        .where(ITEMS.tenant == sa.bindparam("tenant"), ITEMS.kind == KIND)
        .order_by(ITEMS.id.desc())
        .limit(sa.bindparam("limit"))
    )
    if older:
        query = query.where(ITEMS.id < sa.bindparam("after"))
    return query.where(ITEMS.state == sa.bindparam("state")) if in_state else query


def _request_control(connection: sa.Connection, row: sa.RowMapping, now: float, control: Control) -> None:
    """Leave a wish for the worker of a locked job; one that is there already stays."""
    if row["control"] != control:
        change_job(connection, row, now, {"control": control}, [NewEvent(f"{control}_requested")])


def _return_to(
    connection: sa.Connection, row: sa.RowMapping, now: float, number: int
) -> tuple[dict[str, object], list[NewEvent], tuple[str, ...]]:
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
    return values, [NewEvent("went_back", story)], files
