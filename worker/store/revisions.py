"""Changes of hyper-parameters while a job lives, numbered; the store of every one keeps the spec that it made."""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from pydantic import JsonValue

from worker.domain.jobs import Revision
from worker.domain.principals import Principal
from worker.domain.work_items import Status
from worker.errors import IllegalMove, RevisionChanged, UnknownJob
from worker.storage import tables
from worker.storage.database import Database
from worker.store.item_rows import NewEvent
from worker.store.job_rows import change_job, lock_job
from worker.store.owned_jobs import is_job_of, job_state
from worker.store.times import moment, moment_or_none

COLUMNS = tables.revisions.c


@dataclass(frozen=True)
class NewRevision:
    """A revision that has been checked and not yet stored."""

    patch: Mapping[str, JsonValue]
    before: Mapping[str, JsonValue]
    after: Mapping[str, JsonValue]
    spec: Mapping[str, JsonValue]
    note: str | None = None
    who: str | None = None


class Revisions:
    """Rows of the table `revisions`, of one tenant's jobs."""

    def __init__(self, database: Database, principal: Principal) -> None:
        self._database = database
        self._principal = principal
        self._tenant = principal.tenant

    def add(self, job_id: str, wanted: NewRevision, *, after: int) -> Revision:
        """Store a change that was made on top of revision `after`.

        Raises RevisionChanged when that is no longer the newest, IllegalMove when the job is done.
        """
        with self._database.write() as connection:
            row = lock_job(connection, self._tenant, job_id)
            state = Status(row["state"])
            if state.terminal:
                raise IllegalMove(job_id, state, "other hyper-parameters")
            if row["revision"] != after:
                raise RevisionChanged(job_id, after, row["revision"])
            now = self._database.now(connection)
            last = connection.scalar(sa.select(sa.func.max(COLUMNS.number)).where(COLUMNS.job_id == job_id))
            number = (last or 0) + 1
            connection.execute(
                sa.insert(tables.revisions).values(
                    job_id=job_id,
                    number=number,
                    created_at=now,
                    patch=dict(wanted.patch),
                    before=dict(wanted.before),
                    after=dict(wanted.after),
                    spec=dict(wanted.spec),
                    note=wanted.note,
                    who=wanted.who or self._principal.name,
                )
            )
            story: dict[str, JsonValue] = {
                "number": number,
                "before": dict(wanted.before),
                "after": dict(wanted.after),
                "note": wanted.note,
            }
            change_job(connection, row, now, {"revision": number}, [NewEvent("hyperparameters_requested", story)])
            return _read(connection, job_id, number)

    def page(self, job_id: str) -> tuple[Revision, ...]:
        """All of them, the first first; those that were undone stay."""
        with self._database.read() as connection:
            job_state(connection, self._tenant, job_id)
            rows = connection.execute(_of(job_id)).mappings().all()
        return tuple(_revision(row) for row in rows)

    def after(self, job_id: str, number: int) -> tuple[Revision, ...]:
        """What a worker that trains with revision `number` has to apply, in this order."""
        own = is_job_of(self._tenant, job_id)
        query = _of(job_id).where(COLUMNS.number > number, COLUMNS.undone_at.is_(sa.null()), own)
        with self._database.read() as connection:
            return tuple(_revision(row) for row in connection.execute(query).mappings())

    def spec_of(self, job_id: str, number: int) -> Mapping[str, JsonValue]:
        """The whole spec as of a revision; 0 is as it was submitted."""
        jobs = tables.jobs.c
        query = sa.select(jobs.spec).where(jobs.id == job_id)
        if number:
            query = sa.select(COLUMNS.spec).where(COLUMNS.job_id == job_id, COLUMNS.number == number)
        with self._database.read() as connection:
            spec: Mapping[str, JsonValue] | None = connection.scalar(query.where(is_job_of(self._tenant, job_id)))
        if spec is None:
            raise UnknownJob(job_id)
        return spec


def _of(job_id: str) -> sa.Select[tuple[object, ...]]:
    return sa.select(tables.revisions).where(COLUMNS.job_id == job_id).order_by(COLUMNS.number)


def _read(connection: sa.Connection, job_id: str, number: int) -> Revision:
    return _revision(connection.execute(_of(job_id).where(COLUMNS.number == number)).mappings().one())


def _revision(row: sa.RowMapping) -> Revision:
    times = {"created_at": moment(row["created_at"]), "undone_at": moment_or_none(row["undone_at"])}
    return Revision(**{**row, **times})
