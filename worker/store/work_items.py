"""Work items: claimed, renewed, released, ended; swept and published. Once, for every kind of work.

Every write of a worker names the attempt it belongs to. An attempt that is no longer the item's own gets `LeaseLost`
and has changed nothing, so a worker that slept through its lease can do no harm.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from pydantic import JsonValue

from worker.domain.ids import new_id
from worker.domain.principals import Principal
from worker.domain.work_items import Claim, Failure, Signals, Status, WorkItem
from worker.errors import LeaseLost, QueueFull, UnknownItem
from worker.storage import tables
from worker.storage.database import Database
from worker.store.item_rows import ITEMS, ItemRows, NewEvent, item_of, new_item

PLAIN = ItemRows()
QUEUED, RUNNING = ITEMS.state == Status.QUEUED.value, ITEMS.state == Status.RUNNING.value


@dataclass(frozen=True)
class Completion:
    """What is written beside the end of an item that succeeds."""

    reason: str | None = None
    values: Mapping[str, object] = field(default_factory=dict)
    events: Sequence[NewEvent] = ()


Completing = Callable[[sa.Connection, sa.RowMapping, float], Completion]


class WorkItems:
    """Rows of the table `work_items`; `rows` are those kinds whose items have a row elsewhere, too."""

    def __init__(
        self, database: Database, *, lease_seconds: float, max_attempts: int, rows: Mapping[str, ItemRows]
    ) -> None:
        self._database = database
        self._lease_seconds = lease_seconds
        self._max_attempts = max_attempts
        self._rows = rows

    # for whoever asks

    def create(
        self,
        principal: Principal,
        kind: str,
        request: Mapping[str, JsonValue],
        *,
        queue: str,
        priority: int,
        max_queued: int,
    ) -> WorkItem:
        """Queue an item of a kind that has no table of its own; raises QueueFull."""
        with self._database.write() as connection:
            refuse_if_full(connection, kind, max_queued)
            now = self._database.now(connection)
            row = new_item(new_id("item"), kind, now, principal, queue=queue, priority=priority, request=request)
            connection.execute(sa.insert(tables.work_items).values(**row))
            return self._read(connection, str(row["id"]))

    def get(self, principal: Principal, item_id: str) -> WorkItem:
        """The item as it is now; raises UnknownItem, for what is another tenant's as well."""
        with self._database.read() as connection:
            return self._read(connection, item_id, ITEMS.tenant == principal.tenant)

    # for the worker

    def claim_next(self, item_id: str, worker: str, kinds: Collection[str]) -> Claim | None:
        """The right to work on the most urgent item, of these kinds, in the queue that this one is, or was, in.

        A message is only a wake-up: the item that it names may be less urgent than one that came later.
        """
        queue = sa.select(ITEMS.queue).where(ITEMS.id == item_id).scalar_subquery()
        query = (
            sa.select(ITEMS.id)
            .where(ITEMS.queue == queue, QUEUED, ITEMS.kind.in_(kinds))
            .order_by(ITEMS.priority.desc(), ITEMS.created_at, ITEMS.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        with self._database.write() as connection:
            urgent = connection.scalar(query)
            return None if urgent is None else self._claim(connection, urgent, worker)

    def claim(self, item_id: str, worker: str) -> Claim | None:
        """The right to work on this item, or None when it is not to be had: claimed, done, or never there."""
        with self._database.write() as connection:
            return self._claim(connection, item_id, worker)

    def _claim(self, connection: sa.Connection, item_id: str, worker: str) -> Claim | None:
        rows, row = self.lock(connection, item_id)
        if row is None:
            return None
        now = self._database.now(connection)
        expired = row["state"] == Status.RUNNING and row["lease_until"] < now
        setbacks = row["setbacks"] + (1 if expired else 0)
        if row["state"] != Status.QUEUED and not expired:
            return None
        if row["control"] in ("cancel", "pause") or setbacks >= self._max_attempts:
            return None  # the sweeper's business
        lease = {
            "setbacks": setbacks,
            "worker": worker,
            "lease_until": now + self._lease_seconds,
            "started_at": row["started_at"] or now,
        }
        rows.start(connection, row, now, lease)
        return Claim(self._read(connection, item_id), worker)

    def renew(self, claim: Claim, progress: Mapping[str, JsonValue] | None = None) -> Signals:
        """Hold the lease for another while, and say how far the work is; what somebody wants of the item meanwhile."""
        values = {} if progress is None else {"progress": dict(progress)}
        return self._extend(claim, values)

    def save(self, claim: Claim, progress: Mapping[str, JsonValue]) -> Signals:
        """Keep where the next attempt is to go on: an attempt that gets so far was no setback."""
        return self._extend(claim, {"progress": dict(progress), "setbacks": 0})

    def _extend(self, claim: Claim, values: Mapping[str, object]) -> Signals:
        with self._database.write() as connection:
            row = self.hold(connection, claim)
            lease = self.lease(self._database.now(connection))
            # not the kind's own update: a heartbeat is nothing that anybody watching the item needs to see
            PLAIN.update(connection, row, {**lease, **values})
            return signals(row)

    def succeed(
        self, claim: Claim, result: Mapping[str, JsonValue] | None = None, completing: Completing | None = None
    ) -> Status:
        """Keep the result and close the item, unless somebody asked to cancel it."""
        with self._database.write() as connection:
            rows, row = self.lock(connection, claim.item_id)
            if row is not None and row["state"] == Status.SUCCEEDED and row["attempt"] == claim.attempt:
                return Status.SUCCEEDED  # said before, and the answer was lost
            row = self.hold(connection, claim)
            now = self._database.now(connection)
            if row["control"] == "cancel":
                rows.cancel(connection, row, now)
                return Status.CANCELLED
            made = Completion() if completing is None else completing(connection, row, now)
            values = {"result": None if result is None else dict(result), **made.values}
            rows.move(connection, row, Status.SUCCEEDED, now, reason=made.reason, values=values, events=made.events)
            return Status.SUCCEEDED

    def fail(self, claim: Claim, failure: Failure) -> None:
        """Close the item as one that cannot be done."""
        with self._database.write() as connection:
            row = self.hold(connection, claim)
            self._rows_of(row["kind"]).fail(connection, row, self._database.now(connection), failure)

    def confirm_cancel(self, claim: Claim) -> None:
        """Close the item: the work stopped because somebody asked for it."""
        with self._database.write() as connection:
            row = self.hold(connection, claim)
            self._rows_of(row["kind"]).cancel(connection, row, self._database.now(connection))

    def release(self, claim: Claim, reason: str) -> Status:
        """Give the item back to the queue, which is no fault of its own; to a pause or its end if that is wanted."""
        with self._database.write() as connection:
            rows, row = self.lock(connection, claim.item_id)
            if row is not None and row["state"] == Status.PAUSED and row["attempt"] == claim.attempt:
                return Status.PAUSED  # said before, and the answer was lost
            row = self.hold(connection, claim)
            now = self._database.now(connection)
            if row["control"] == "cancel":
                rows.cancel(connection, row, now)
                return Status.CANCELLED
            to, why = (Status.PAUSED, "requested") if row["control"] == "pause" else (Status.QUEUED, reason)
            rows.move(connection, row, to, now, reason=why)
            return to

    # for the sweeper: each answer is a compare-and-set, so any number of sweepers may ask

    def expired(self, limit: int = 100) -> list[tuple[str, str]]:
        """(id, topic) of running items whose lease has run out."""
        with self._database.read() as connection:
            now = self._database.now(connection)
            query = sa.select(ITEMS.id, ITEMS.topic).where(RUNNING, ITEMS.lease_until < now)
            rows = connection.execute(query.order_by(ITEMS.id).limit(limit))
            return [(row.id, row.topic) for row in rows]

    def expire(self, item_id: str) -> Status | None:
        """Take an item away from a worker that went silent; its new state, or None when there was nothing to take."""
        with self._database.write() as connection:
            rows, row = self.lock(connection, item_id)
            now = self._database.now(connection)
            if row is None or row["state"] != Status.RUNNING or row["lease_until"] >= now:
                return None
            setbacks = row["setbacks"] + 1
            if row["control"] == "cancel":
                rows.cancel(connection, row, now)
                return Status.CANCELLED
            if setbacks >= self._max_attempts:
                rows.fail(connection, row, now, rows.lost(connection, row, setbacks), {"setbacks": setbacks})
                return Status.FAILED
            to = Status.PAUSED if row["control"] == "pause" else Status.QUEUED
            rows.move(connection, row, to, now, reason="lease_expired", values={"setbacks": setbacks})
            return to

    def unpublished(self, limit: int = 1000) -> list[tuple[str, str]]:
        """(id, queue) of queued items that nobody has been told of."""
        return self._queued(ITEMS.published_at.is_(None), limit)

    def unclaimed(self, queue: str, seconds: float, limit: int = 1000) -> list[tuple[str, str]]:
        """(id, queue) of items in `queue` that were published more than `seconds` ago and still wait."""
        with self._database.read() as connection:
            now = self._database.now(connection)
        return self._queued(sa.and_(ITEMS.queue == queue, ITEMS.published_at < now - seconds), limit)

    def waiting(self, queue: str) -> int:
        """How many items wait in `queue`."""
        query = sa.select(sa.func.count()).select_from(tables.work_items).where(QUEUED, ITEMS.queue == queue)
        with self._database.read() as connection:
            return connection.scalar(query) or 0

    def mark_published(self, item_ids: Sequence[str]) -> None:
        """Remember that the queued items among these were published."""
        with self._database.write() as connection:
            now = self._database.now(connection)
            connection.execute(PUBLISHED, [{"item_id": item_id, "now": now} for item_id in item_ids])

    def running_on(self, host: str) -> list[tuple[WorkItem, int, int | None]]:
        """(item, process, bytes of memory last seen) of what workers of a machine do, or should."""
        workers = tables.workers.c
        query = sa.select(tables.work_items, workers.pid, workers.memory_bytes).where(
            RUNNING, ITEMS.worker == workers.id, workers.host == host
        )
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return [(item_of(row), row["pid"], row["memory_bytes"]) for row in rows]

    def fail_with_process(self, item_id: str, pid: int, failure: Failure) -> bool:
        """Close an item whose worker was ended with this process; whether it was there to be closed."""
        with self._database.write() as connection:
            rows, row = self.lock(connection, item_id)
            if row is None or row["state"] != Status.RUNNING:
                return False
            worker = connection.scalar(sa.select(tables.workers.c.pid).where(tables.workers.c.id == row["worker"]))
            if worker != pid:
                return False
            rows.fail(connection, row, self._database.now(connection), failure)
            return True

    # inside a transaction that is under way

    def lock(self, connection: sa.Connection, item_id: str) -> tuple[ItemRows, sa.RowMapping | None]:
        """How the rows of the item's kind are changed, and the row, locked; None where there is none."""
        kind = connection.scalar(sa.select(ITEMS.kind).where(ITEMS.id == item_id))
        rows = self._rows_of(kind)
        return rows, None if kind is None else rows.lock(connection, item_id)

    def hold(self, connection: sa.Connection, claim: Claim) -> sa.RowMapping:
        """The row that this attempt holds, locked; raises LeaseLost where it does not, or there is none."""
        row = self._rows_of(claim.item.kind).lock(connection, claim.item_id)
        if row is None or row["state"] != Status.RUNNING or row["attempt"] != claim.attempt:
            raise LeaseLost(claim.item_id, claim.attempt)
        return row

    def lease(self, now: float) -> dict[str, object]:
        """The column that a write holds the lease with."""
        return {"lease_until": now + self._lease_seconds}

    def _rows_of(self, kind: str | None) -> ItemRows:
        return PLAIN if kind is None else self._rows.get(kind, PLAIN)

    def _read(self, connection: sa.Connection, item_id: str, *conditions: sa.ColumnElement[bool]) -> WorkItem:
        query = sa.select(tables.work_items).where(ITEMS.id == item_id, *conditions)
        row = connection.execute(query).mappings().first()
        if row is None:
            raise UnknownItem(item_id)
        return item_of(row)

    def _queued(self, condition: sa.ColumnElement[bool], limit: int) -> list[tuple[str, str]]:
        query = sa.select(ITEMS.id, ITEMS.queue).where(QUEUED, condition)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(ITEMS.created_at, ITEMS.id).limit(limit))
            return [(row.id, row.queue) for row in rows]


PUBLISHED = (
    sa.update(tables.work_items)
    .where(ITEMS.id == sa.bindparam("item_id"), QUEUED)
    .values(published_at=sa.bindparam("now"))
)


def refuse_if_full(connection: sa.Connection, kind: str, max_queued: int) -> None:
    """Raise QueueFull where so many items of a kind wait."""
    waiting = sa.select(sa.func.count()).select_from(tables.work_items).where(ITEMS.kind == kind, QUEUED)
    if (connection.scalar(waiting) or 0) >= max_queued:
        raise QueueFull(max_queued)


def signals(row: sa.RowMapping) -> Signals:
    """What a locked row tells its worker."""
    return Signals(row["control"], row["revision"])
