"""The gradient checks: asked for, claimed, answered; and what the sweeper asks about them.

A check is queued like a job and outlives the attempts at its job. Whoever needs both rows locks the job's first.
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from pydantic import JsonValue

from worker.domain.gradient_checks import CheckClaim, CheckState, GradientCheck
from worker.domain.idempotency import KeyedRequest
from worker.domain.jobs import Claim, Failure, Status
from worker.domain.records import Page
from worker.errors import LeaseLost, QueueFull, UnknownCheck, UnknownJob
from worker.storage import tables
from worker.storage.database import Database
from worker.store.idempotency_keys import created_before, note_created
from worker.store.leased_rows import LeasedRows
from worker.store.moves import Note, change, locked
from worker.store.times import moment

CHECKS = tables.gradient_checks.c


class GradientChecks:
    """Rows of the table `gradient_checks`."""

    def __init__(self, database: Database, *, lease_seconds: float, max_attempts: int) -> None:
        self._database = database
        self._rows = LeasedRows(
            database, tables.gradient_checks, lease_seconds=lease_seconds, max_attempts=max_attempts
        )

    # for whoever asks

    def create(
        self, job_id: str, requested: Mapping[str, JsonValue], *, max_queued: int, keyed: KeyedRequest | None = None
    ) -> GradientCheck:
        """Queue a check under the job's next number."""
        with self._database.write() as connection:
            locked(connection, job_id)  # so that no report of the job takes the same number
            if (known := created_before(connection, keyed)) is not None:
                return _read(connection, job_id, int(known))
            waiting = sa.select(sa.func.count()).where(CHECKS.state == CheckState.QUEUED.value)
            if (connection.scalar(waiting) or 0) >= max_queued:
                raise QueueFull(max_queued)
            number = _next_number(connection, job_id)
            connection.execute(
                sa.insert(tables.gradient_checks).values(
                    job_id=job_id,
                    number=number,
                    state=CheckState.QUEUED.value,
                    requested=dict(requested),
                    attempt=0,
                    setbacks=0,
                    created_at=self._database.now(connection),
                )
            )
            note_created(connection, keyed, str(number))
            return _read(connection, job_id, number)

    def get(self, job_id: str, number: int) -> GradientCheck:
        """The check as it is now."""
        with self._database.read() as connection:
            return _read(connection, job_id, number)

    def page(self, job_id: str, *, after: int, limit: int) -> Page[GradientCheck]:
        """Checks behind number `after`, ascending."""
        query = sa.select(tables.gradient_checks).where(CHECKS.job_id == job_id, CHECKS.number > after)
        with self._database.read() as connection:
            if connection.scalar(sa.select(tables.jobs.c.id).where(tables.jobs.c.id == job_id)) is None:
                raise UnknownJob(job_id)
            rows = connection.execute(query.order_by(CHECKS.number).limit(limit + 1)).mappings().all()
        return Page(tuple(_check(row) for row in rows[:limit]), has_more=len(rows) > limit)

    # for the worker

    def claim(self, job_id: str, number: int, worker: str) -> CheckClaim | None:
        """The right to make the check, or None when it is not to be had: claimed, done, or never there."""
        with self._database.write() as connection:
            if not self._rows.claim(connection, (job_id, number), worker):
                return None
            return CheckClaim(_read(connection, job_id, number), worker)

    def renew(self, claim: CheckClaim) -> None:
        """Hold the lease for another while."""
        with self._database.write() as connection:
            self._rows.renew(connection, self._held(connection, claim), {})

    def succeed(self, claim: CheckClaim, report: Mapping[str, JsonValue]) -> None:
        """Keep the report; the job's events tell of it, unless the job is done and its story over."""
        with self._database.write() as connection:
            job = _job(connection, claim)
            self._rows.end(
                connection, self._held(connection, claim), CheckState.SUCCEEDED.value, {"report": dict(report)}
            )
            now = self._database.now(connection)
            if not Status(job["state"]).terminal:
                told = {key: report[key] for key in ("at", "difference", "verdict")}
                change(connection, job, now, {}, [Note("gradients_checked", {**told, "number": claim.number})])

    def fail(self, claim: CheckClaim, failure: Failure) -> None:
        """Close the check as one that cannot be made."""
        with self._database.write() as connection:
            self._rows.fail(connection, self._held(connection, claim), failure)

    def release(self, claim: CheckClaim) -> None:
        """Give the check back to the queue, as this worker is about to end: that is no fault of the check's."""
        with self._database.write() as connection:
            self._rows.requeue(connection, self._held(connection, claim), {})

    # for the sweeper: each answer is a compare-and-set

    def expired(self, limit: int = 100) -> list[tuple[str, int]]:
        """(job's id, number) of running checks whose lease has run out."""
        return [(str(job_id), int(number)) for job_id, number in self._rows.expired(limit)]

    def reclaim(self, job_id: str, number: int) -> CheckState | None:
        """Take a check away from a worker that went silent; its new state, or None with nothing to take."""
        with self._database.write() as connection:
            state = self._rows.reclaim(connection, (job_id, number), "this check")
        return None if state is None else CheckState(state)

    def unpublished(self, limit: int = 1000) -> list[tuple[str, int, str]]:
        """(job's id, number, queue) of queued checks that nobody has been told of."""
        return self._queued(CHECKS.published_at.is_(None), limit)

    def unclaimed(self, queue: str, seconds: float, limit: int = 1000) -> list[tuple[str, int, str]]:
        """(job's id, number, queue) of checks in `queue` that were announced a while ago and still wait."""
        with self._database.read() as connection:
            now = self._database.now(connection)
        return self._queued(sa.and_(tables.jobs.c.queue == queue, CHECKS.published_at < now - seconds), limit)

    def waiting(self, queue: str) -> int:
        """How many checks wait in `queue`."""
        query = (
            sa.select(sa.func.count())
            .select_from(tables.gradient_checks.join(tables.jobs))
            .where(CHECKS.state == CheckState.QUEUED.value, tables.jobs.c.queue == queue)
        )
        with self._database.read() as connection:
            return connection.scalar(query) or 0

    def mark_published(self, checks: Sequence[tuple[str, int]]) -> None:
        """Remember that the checks were announced."""
        self._rows.mark_published(checks)

    def _held(self, connection: sa.Connection, claim: CheckClaim) -> sa.RowMapping:
        return self._rows.held(connection, (claim.job_id, claim.number), claim.attempt, about=claim.job_id)

    def _queued(self, condition: sa.ColumnElement[bool], limit: int) -> list[tuple[str, int, str]]:
        query = (
            sa.select(CHECKS.job_id, CHECKS.number, tables.jobs.c.queue)
            .select_from(tables.gradient_checks.join(tables.jobs))  # a check is made where its job is trained
            .where(CHECKS.state == CheckState.QUEUED.value, condition)
            .order_by(CHECKS.created_at)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [(row.job_id, row.number, row.queue) for row in connection.execute(query)]


def add_reports(
    connection: sa.Connection, claim: Claim, reports: Sequence[Mapping[str, JsonValue]], now: float
) -> None:
    """Write down what an attempt has checked by itself, as the spec of its job wants it; the job is locked.

    A moment that an attempt before it has checked too, just before its last checkpoint, is told anew.
    """
    moments = {report["at"] for report in reports}
    own = sa.select(CHECKS.number, CHECKS.report).where(CHECKS.job_id == claim.job_id, CHECKS.requested.is_(sa.null()))
    twice = [row.number for row in connection.execute(own) if row.report["at"] in moments]
    connection.execute(sa.delete(tables.gradient_checks).where(CHECKS.job_id == claim.job_id, CHECKS.number.in_(twice)))
    connection.execute(
        sa.insert(tables.gradient_checks),
        [
            {
                "job_id": claim.job_id,
                "number": number,
                "state": CheckState.SUCCEEDED.value,
                "report": dict(report),
                "attempt": claim.attempt,
                "setbacks": 0,
                "created_at": now,
                "finished_at": now,
            }
            for number, report in enumerate(reports, _next_number(connection, claim.job_id))
        ],
    )


def discard_reports(connection: sa.Connection, job_id: str, *, after: int | None) -> None:
    """Remove what attempts have checked by themselves after an epoch, or ever; what somebody asked for stays."""
    own = sa.and_(CHECKS.job_id == job_id, CHECKS.requested.is_(sa.null()))
    rows = connection.execute(sa.select(CHECKS.number, CHECKS.report).where(own)).all()
    gone = [row.number for row in rows if after is None or not _before(row.report["at"], after)]
    connection.execute(sa.delete(tables.gradient_checks).where(CHECKS.job_id == job_id, CHECKS.number.in_(gone)))


def _before(at: str | int, epoch: int) -> bool:
    return at == "start" or (isinstance(at, int) and at <= epoch)


def _next_number(connection: sa.Connection, job_id: str) -> int:
    """The number of the next check of a locked job."""
    last: int | None = connection.scalar(sa.select(sa.func.max(CHECKS.number)).where(CHECKS.job_id == job_id))
    return (last or 0) + 1


def _key(job_id: str, number: int) -> sa.ColumnElement[bool]:
    return sa.and_(CHECKS.job_id == job_id, CHECKS.number == number)


def _job(connection: sa.Connection, claim: CheckClaim) -> sa.RowMapping:
    try:
        return locked(connection, claim.job_id)
    except UnknownJob as error:
        raise LeaseLost(claim.job_id, claim.attempt) from error


def _read(connection: sa.Connection, job_id: str, number: int) -> GradientCheck:
    query = sa.select(tables.gradient_checks).where(_key(job_id, number))
    row = connection.execute(query).mappings().first()
    if row is None:
        raise UnknownCheck(job_id, number)
    return _check(row)


def _check(row: sa.RowMapping) -> GradientCheck:
    return GradientCheck(
        job_id=row["job_id"],
        number=row["number"],
        state=CheckState(row["state"]),
        requested=row["requested"],
        report=row["report"],
        error=Failure(**row["error"]) if row["error"] is not None else None,
        attempt=row["attempt"],
        created_at=moment(row["created_at"]),
        finished_at=None if row["finished_at"] is None else moment(row["finished_at"]),
    )
