"""Where jobs can go on: their checkpoints, of which the newest two, the best and those that are needed are kept."""

import sqlalchemy as sa

from worker.domain.jobs import Checkpoint
from worker.domain.principals import Principal
from worker.domain.work_items import LIVE
from worker.errors import UnknownCheckpoint
from worker.storage import tables
from worker.storage.database import Database
from worker.store.owned_jobs import is_job_of, job_state
from worker.store.times import moment

KEPT = 2
"""Newest checkpoints that are kept: a damaged one has one before it."""

MODEL = "model"
"""Stands in place of a number for the model that a job has kept."""

COLUMNS = tables.checkpoints.c


class Checkpoints:
    """Rows of the table `checkpoints`, of one tenant's jobs."""

    def __init__(self, database: Database, principal: Principal) -> None:
        self._database = database
        self._tenant = principal.tenant

    def newest(self, job_id: str) -> Checkpoint | None:
        """Where the job would go on; None: at the beginning."""
        with self._database.read() as connection:
            return newest_checkpoint(connection, job_id, is_job_of(self._tenant, job_id))

    def best(self, job_id: str) -> Checkpoint | None:
        """The newest that was the best so far, on the metric that the job keeps its model by."""
        query = _of(job_id).where(COLUMNS.kind == "best", is_job_of(self._tenant, job_id))
        query = query.order_by(COLUMNS.number.desc()).limit(1)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else _checkpoint(row)

    def page(self, job_id: str) -> tuple[Checkpoint, ...]:
        """All that are kept, oldest first."""
        with self._database.read() as connection:
            job_state(connection, self._tenant, job_id)
            rows = connection.execute(_of(job_id).order_by(COLUMNS.number)).mappings().all()
        return tuple(_checkpoint(row) for row in rows)

    def get(self, job_id: str, number: int) -> Checkpoint:
        """The checkpoint; raises UnknownCheckpoint for one that never was or is no longer kept."""
        with self._database.read() as connection:
            return read_checkpoint(connection, job_id, number, is_job_of(self._tenant, job_id))


def newest_checkpoint(connection: sa.Connection, job_id: str, *conditions: sa.ColumnElement[bool]) -> Checkpoint | None:
    """The one with the highest number."""
    query = _of(job_id).where(*conditions).order_by(COLUMNS.number.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return None if row is None else _checkpoint(row)


def read_checkpoint(
    connection: sa.Connection, job_id: str, number: int, *conditions: sa.ColumnElement[bool], pointer: str = ""
) -> Checkpoint:
    """The checkpoint, inside a transaction that is under way."""
    row = connection.execute(_of(job_id).where(COLUMNS.number == number, *conditions)).mappings().first()
    if row is None:
        kept = sa.select(COLUMNS.number).where(COLUMNS.job_id == job_id, *conditions).order_by(COLUMNS.number)
        raise UnknownCheckpoint(job_id, number, tuple(connection.scalars(kept)), pointer=pointer)
    return _checkpoint(row)


def forget_superseded(connection: sa.Connection, job_id: str) -> tuple[str, ...]:
    """Remove the rows of a locked job that nothing needs any more; their files."""
    rows = connection.execute(sa.select(COLUMNS.number, COLUMNS.kind).where(COLUMNS.job_id == job_id)).all()
    numbers = sorted(row.number for row in rows)
    needed = set(numbers[-KEPT:])
    needed.update(sorted(row.number for row in rows if row.kind == "best")[-1:])
    revisions = tables.revisions.c
    needed.update(connection.scalars(sa.select(revisions.checkpoint).where(revisions.job_id == job_id)))
    needed.update(started_from(connection, job_id))
    return forget(connection, job_id, [number for number in numbers if number not in needed])


def forget(connection: sa.Connection, job_id: str, numbers: list[int]) -> tuple[str, ...]:
    """Remove these rows of a locked job; their files."""
    if not numbers:
        return ()
    these = sa.and_(COLUMNS.job_id == job_id, COLUMNS.number.in_(numbers))
    files = tuple(connection.scalars(sa.select(COLUMNS.file).where(these)))
    connection.execute(sa.delete(tables.checkpoints).where(these))
    return files


def started_from(connection: sa.Connection, job_id: str) -> dict[int, str]:
    """Numbers of the job's checkpoints that live jobs start from, and such a job; 0 stands for its model."""
    inputs = tables.job_inputs.c
    query = (
        sa.select(inputs.input_id, inputs.job_id)
        .join(tables.work_items, tables.work_items.c.id == inputs.job_id)
        .where(
            inputs.kind == "checkpoint",
            inputs.input_id.like(f"{job_id}/%"),
            tables.work_items.c.state.in_([state.value for state in LIVE]),
        )
    )
    held: dict[int, str] = {}
    for input_id, needs in connection.execute(query):
        which = input_id.rpartition("/")[2]
        held[0 if which == MODEL else int(which)] = needs
    return held


def _of(job_id: str) -> sa.Select[tuple[object, ...]]:
    return sa.select(tables.checkpoints).where(COLUMNS.job_id == job_id)


def _checkpoint(row: sa.RowMapping) -> Checkpoint:
    return Checkpoint(**{**row, "created_at": moment(row["created_at"])})
