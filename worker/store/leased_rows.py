"""Rows that are queued, claimed by a worker, held by a lease and ended: the checks', and the batch predictions'.

Every table of them has the columns `state attempt setbacks worker lease_until created_at finished_at published_at
error`. A write names the attempt it belongs to, and is refused once that is no longer the row's own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import sqlalchemy as sa

from worker.domain.jobs import Failure
from worker.errors import LeaseLost
from worker.storage.database import Database

QUEUED, RUNNING, FAILED = "queued", "running", "failed"
Key = tuple[str | int, ...]


class LeasedRows:
    """What happens to such rows whatever they stand for; the caller's transaction is under way."""

    def __init__(self, database: Database, table: sa.Table, *, lease_seconds: float, max_attempts: int) -> None:
        self.table = table
        self._database = database
        self._lease_seconds = lease_seconds
        self._max_attempts = max_attempts

    def is_row(self, key: Key) -> sa.ColumnElement[bool]:
        """The row with this primary key."""
        return sa.and_(*(column == value for column, value in zip(self.table.primary_key, key, strict=True)))

    def locked(self, connection: sa.Connection, key: Key) -> sa.RowMapping | None:
        """The row, which nobody else can change before the end of the transaction."""
        query = sa.select(self.table).where(self.is_row(key)).with_for_update()
        return connection.execute(query).mappings().first()

    def held(self, connection: sa.Connection, key: Key, attempt: int, *, about: str) -> sa.RowMapping:
        """The row that this attempt holds; `LeaseLost` where it does not, or there is none."""
        row = self.locked(connection, key)
        if row is None or row["state"] != RUNNING or row["attempt"] != attempt:
            raise LeaseLost(about, attempt)
        return row

    def claim(self, connection: sa.Connection, key: Key, worker: str) -> bool:
        """Begin an attempt, if one is to be had: the row is queued, or running with an expired lease."""
        row = self.locked(connection, key)
        if row is None:
            return False
        now = self._database.now(connection)
        expired = row["state"] == RUNNING and row["lease_until"] < now
        setbacks = row["setbacks"] + (1 if expired else 0)
        if (row["state"] != QUEUED and not expired) or setbacks >= self._max_attempts:
            return False
        lease = {"worker": worker, "lease_until": now + self._lease_seconds}
        self.update(connection, row, {"state": RUNNING, "attempt": row["attempt"] + 1, "setbacks": setbacks, **lease})
        return True

    def renew(self, connection: sa.Connection, row: sa.RowMapping, values: Mapping[str, object]) -> None:
        """Hold the lease for another while."""
        self.update(connection, row, {"lease_until": self._database.now(connection) + self._lease_seconds, **values})

    def requeue(self, connection: sa.Connection, row: sa.RowMapping, values: Mapping[str, object]) -> None:
        """Have the row claimed anew, as if nobody had been told of it."""
        again = {"state": QUEUED, "worker": None, "lease_until": None, "published_at": None}
        self.update(connection, row, {**again, **values})

    def end(self, connection: sa.Connection, row: sa.RowMapping, state: str, values: Mapping[str, object]) -> None:
        """Close the row."""
        now = self._database.now(connection)
        self.update(connection, row, {"state": state, "lease_until": None, "finished_at": now, **values})

    def fail(self, connection: sa.Connection, row: sa.RowMapping, failure: Failure) -> None:
        """Close the row as one that cannot be done."""
        self.end(connection, row, FAILED, {"error": asdict(failure)})

    def reclaim(self, connection: sa.Connection, key: Key, work: str) -> str | None:
        """Take the row away from a worker that went silent; its new state, or None with nothing to take."""
        row = self.locked(connection, key)
        if row is None or row["state"] != RUNNING or row["lease_until"] >= self._database.now(connection):
            return None
        setbacks = row["setbacks"] + 1
        if setbacks < self._max_attempts:
            self.requeue(connection, row, {"setbacks": setbacks})
            return QUEUED
        failure = Failure("worker_lost", f"{setbacks} workers were lost while they made {work}")
        self.end(connection, row, FAILED, {"error": asdict(failure), "setbacks": setbacks})
        return FAILED

    def expired(self, limit: int) -> list[Key]:
        """Keys of running rows whose lease has run out."""
        columns = self.table.c
        with self._database.read() as connection:
            now = self._database.now(connection)
            query = sa.select(*self.table.primary_key).where(columns.state == RUNNING, columns.lease_until < now)
            return [tuple(row) for row in connection.execute(query.limit(limit))]

    def mark_published(self, keys: Sequence[Key]) -> None:
        """Remember that the queued rows among these were announced."""
        with self._database.write() as connection:
            connection.execute(
                sa.update(self.table)
                .where(sa.or_(*map(self.is_row, keys)), self.table.c.state == QUEUED)
                .values(published_at=self._database.now(connection))
            )

    def update(self, connection: sa.Connection, row: sa.RowMapping, values: Mapping[str, object]) -> None:
        """Write into a locked row."""
        key = tuple(row[column.name] for column in self.table.primary_key)
        connection.execute(sa.update(self.table).where(self.is_row(key)).values(**values))
