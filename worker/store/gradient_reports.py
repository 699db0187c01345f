"""The reports of gradient checks that an attempt at a job makes by itself, as the job's spec wants them."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from pydantic import JsonValue

from worker.domain.work_items import Claim
from worker.storage import tables

CHECKS = tables.gradient_checks.c


def add_reports(
    connection: sa.Connection, claim: Claim, reports: Sequence[Mapping[str, JsonValue]], now: float
) -> None:
    """Write down what an attempt has checked; the job is locked.

    A moment that an attempt before it has checked too, just before its last checkpoint, is told anew.
    """
    moments = {report["at"] for report in reports}
    own = sa.select(CHECKS.number, CHECKS.report).where(_own(claim.item_id))
    twice = [row.number for row in connection.execute(own) if row.report["at"] in moments]
    connection.execute(sa.delete(tables.gradient_checks).where(_own(claim.item_id), CHECKS.number.in_(twice)))
    connection.execute(
        sa.insert(tables.gradient_checks),
        [
            {
                "job_id": claim.item_id,
                "number": number,
                "report": dict(report),
                "attempt": claim.attempt,
                "created_by": claim.item.principal.name,
                "created_at": now,
            }
            for number, report in enumerate(reports, next_number(connection, claim.item_id))
        ],
    )


def discard_reports(connection: sa.Connection, job_id: str, *, after: int | None) -> None:
    """Remove what attempts have checked by themselves after an epoch, or ever; what somebody asked for stays."""
    rows = connection.execute(sa.select(CHECKS.number, CHECKS.report).where(_own(job_id))).all()
    gone = [row.number for row in rows if after is None or not _before(row.report["at"], after)]
    connection.execute(sa.delete(tables.gradient_checks).where(_own(job_id), CHECKS.number.in_(gone)))


def next_number(connection: sa.Connection, job_id: str) -> int:
    """The number of the next check of a locked job."""
    last: int | None = connection.scalar(sa.select(sa.func.max(CHECKS.number)).where(CHECKS.job_id == job_id))
    return (last or 0) + 1


def _own(job_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(CHECKS.job_id == job_id, CHECKS.item_id.is_(None))


def _before(at: str | int, epoch: int) -> bool:
    return at == "start" or (isinstance(at, int) and at <= epoch)
