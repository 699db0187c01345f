"""The gradient checks of jobs: those that somebody asked for, each a work item, and the reports of the jobs' own."""

from collections.abc import Mapping

import sqlalchemy as sa
from pydantic import JsonValue

from worker.domain.gradient_checks import GradientCheck
from worker.domain.idempotency import KeyedRequest
from worker.domain.ids import new_id
from worker.domain.paging import Page
from worker.domain.principals import Principal
from worker.domain.work_items import Claim, Failure, Status
from worker.errors import UnknownCheck
from worker.storage import tables
from worker.storage.database import Database
from worker.store.gradient_reports import next_number
from worker.store.idempotency_keys import created_before, note_created
from worker.store.item_rows import ITEMS, ItemRows, NewEvent, new_item
from worker.store.job_rows import JOB_ROWS, change_job, lock_job
from worker.store.owned_jobs import is_job_of, job_state
from worker.store.times import moment, moment_or_none
from worker.store.work_items import Completion, WorkItems, refuse_if_full

KIND = "check_gradients"
PRIORITY = 9
"""A check is short, and somebody waits for it."""

CHECKS = tables.gradient_checks.c
CHECK = sa.select(
    *tables.gradient_checks.c,
    *(ITEMS[name].label(f"item_{name}") for name in ("state", "request", "error", "attempt", "finished_at")),
).select_from(tables.gradient_checks.outerjoin(tables.work_items, ITEMS.id == CHECKS.item_id))


class CheckRows(ItemRows):
    """The rows of gradient checks that were asked for; their job's are locked first, as everybody does."""

    what = "this check"

    def lock(self, connection: sa.Connection, item_id: str) -> sa.RowMapping | None:
        job_id = connection.scalar(sa.select(ITEMS.topic).where(ITEMS.id == item_id))
        if job_id is None or JOB_ROWS.lock(connection, job_id) is None:
            return None
        return super().lock(connection, item_id)


class GradientChecks:
    """Rows of the table `gradient_checks`, of one tenant's jobs."""

    def __init__(self, database: Database, principal: Principal, items: WorkItems) -> None:
        self._database = database
        self._principal = principal
        self._tenant = principal.tenant
        self._items = items

    def create(
        self, job_id: str, requested: Mapping[str, JsonValue], *, max_queued: int, keyed: KeyedRequest | None = None
    ) -> GradientCheck:
        """Queue a check under the job's next number; it is made where its job is trained."""
        with self._database.write() as connection:
            job = lock_job(connection, self._tenant, job_id)  # so that no report of the job takes the same number
            if (known := created_before(connection, keyed)) is not None:
                return _read(connection, job_id, int(known))
            refuse_if_full(connection, KIND, max_queued)
            now = self._database.now(connection)
            number = next_number(connection, job_id)
            whose = self._principal
            item = new_item(
                new_id("gc"), KIND, now, whose, queue=job["queue"], priority=PRIORITY, topic=job_id, request=requested
            )
            connection.execute(sa.insert(tables.work_items).values(**item))
            own = {
                "job_id": job_id,
                "number": number,
                "item_id": item["id"],
                "created_by": whose.name,
                "created_at": now,
            }
            connection.execute(sa.insert(tables.gradient_checks).values(**own))
            note_created(connection, keyed, str(number))
            return _read(connection, job_id, number)

    def get(self, job_id: str, number: int) -> GradientCheck:
        """The check as it is now."""
        with self._database.read() as connection:
            return _read(connection, job_id, number, is_job_of(self._tenant, job_id))

    def page(self, job_id: str, *, after: int, limit: int) -> Page[GradientCheck]:
        """Checks behind number `after`, ascending."""
        query = CHECK.where(CHECKS.job_id == job_id, CHECKS.number > after)
        with self._database.read() as connection:
            job_state(connection, self._tenant, job_id)
            rows = connection.execute(query.order_by(CHECKS.number).limit(limit + 1)).mappings().all()
        return Page(tuple(_check(row) for row in rows[:limit]), has_more=len(rows) > limit)

    def succeed(self, claim: Claim, report: Mapping[str, JsonValue]) -> Status:
        """Keep the report; the job's events tell of it, unless the job is done and its story over."""

        def complete(connection: sa.Connection, row: sa.RowMapping, now: float) -> Completion:
            this = CHECKS.item_id == row["id"]
            connection.execute(sa.update(tables.gradient_checks).where(this).values(report=dict(report)))
            number = connection.scalar(sa.select(CHECKS.number).where(this))
            job = lock_job(connection, self._tenant, row["topic"])
            if not Status(job["state"]).terminal:
                told = {key: report[key] for key in ("at", "difference", "verdict")}
                change_job(connection, job, now, {}, [NewEvent("gradients_checked", {**told, "number": number})])
            return Completion()

        return self._items.succeed(claim, completing=complete)


def _read(connection: sa.Connection, job_id: str, number: int, *conditions: sa.ColumnElement[bool]) -> GradientCheck:
    query = CHECK.where(CHECKS.job_id == job_id, CHECKS.number == number, *conditions)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise UnknownCheck(job_id, number)
    return _check(row)


def _check(row: sa.RowMapping) -> GradientCheck:
    own = row["item_id"] is None  # the job's: written down when it was made
    return GradientCheck(
        job_id=row["job_id"],
        number=row["number"],
        item_id=row["item_id"],
        state=Status.SUCCEEDED if own else Status(row["item_state"]),
        requested=row["item_request"],
        report=row["report"],
        error=Failure(**row["item_error"]) if row["item_error"] is not None else None,
        attempt=row["attempt"] if own else row["item_attempt"],
        created_by=row["created_by"],
        created_at=moment(row["created_at"]),
        finished_at=moment(row["created_at"]) if own else moment_or_none(row["item_finished_at"]),
    )
