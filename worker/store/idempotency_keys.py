"""The keys of requests that may be sent again, each with its answer, for a day.

What a request creates is written together with its key, so that a process that dies before it has answered leaves
behind what the next attempt finds.
"""

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from worker.domain.idempotency import KeyedRequest, KeyLease, StoredResponse
from worker.domain.principals import Principal
from worker.errors import KeyInFlight, KeyReused
from worker.storage import tables
from worker.storage.database import Database

LEASE_SECONDS = 10.0
"""A request that has no answer after so long may be sent again: its process has probably died."""

KEPT_SECONDS = 24 * 3600.0

COLUMNS = tables.idempotency_keys.c


class IdempotencyKeys:
    """Rows of the table `idempotency_keys`, of one principal."""

    def __init__(self, database: Database, principal: Principal) -> None:
        self._database = database
        self._principal = principal

    def begin(self, key: str, route: str) -> KeyLease | StoredResponse:
        """The right to answer, or the answer that was given; raises KeyInFlight while somebody else has the right."""
        try:
            with self._database.write() as connection:
                return self._begin(connection, key, route)
        except IntegrityError as error:  # PostgreSQL: the same key began at this very moment
            raise KeyInFlight(key) from error

    def _begin(self, connection: sa.Connection, key: str, route: str) -> KeyLease | StoredResponse:
        now = self._database.now(connection)
        this = _is(self._principal, key, route)
        row = _lock_row(connection, this)
        if row is not None and row["created_at"] < now - KEPT_SECONDS:
            connection.execute(sa.delete(tables.idempotency_keys).where(this))
            row = None
        if row is None:
            whose = {"tenant": self._principal.tenant, "created_by": self._principal.name}
            first = {"key": key, "route": route, "attempt": 1, "created_at": now, "lease_until": now + LEASE_SECONDS}
            connection.execute(sa.insert(tables.idempotency_keys).values(**whose, **first))
            return KeyLease(self._principal, key, route, 1)
        if row["status"] is not None:
            return StoredResponse(row["body_sha256"], row["status"], row["headers"], row["body"])
        if row["lease_until"] > now:
            raise KeyInFlight(key)
        attempt = row["attempt"] + 1
        values = {"attempt": attempt, "lease_until": now + LEASE_SECONDS}
        connection.execute(sa.update(tables.idempotency_keys).where(this).values(**values))
        return KeyLease(self._principal, key, route, attempt)

    def answer(self, key_lease: KeyLease, answer: StoredResponse) -> None:
        """Keep the answer, unless a later attempt has taken over."""
        with self._database.write() as connection:
            connection.execute(
                sa.update(tables.idempotency_keys)
                .where(_leased(key_lease), COLUMNS.attempt == key_lease.attempt)
                .values(body_sha256=answer.sha256, status=answer.status, headers=dict(answer.headers), body=answer.body)
            )

    def abandon(self, key_lease: KeyLease) -> None:
        """Give the right to answer back: a request that was refused has changed nothing, and may be corrected."""
        own = sa.and_(_leased(key_lease), COLUMNS.attempt == key_lease.attempt)
        with self._database.write() as connection:
            connection.execute(sa.delete(tables.idempotency_keys).where(own, COLUMNS.created_id.is_(None)))
            connection.execute(sa.update(tables.idempotency_keys).where(own).values(lease_until=0.0))


def forget_keys(database: Database, limit: int = 1000) -> int:
    """Remove keys older than a day, whoever sent them; how many there were."""
    whole = (COLUMNS.tenant, COLUMNS.created_by, COLUMNS.key, COLUMNS.route)
    with database.read() as connection:
        now = database.now(connection)
        old = sa.select(*whole).where(COLUMNS.created_at < now - KEPT_SECONDS).limit(limit)
        keys = [tuple(row) for row in connection.execute(old)]
    if keys:
        with database.write() as connection:
            connection.execute(sa.delete(tables.idempotency_keys).where(sa.tuple_(*whole).in_(keys)))
    return len(keys)


def created_before(connection: sa.Connection, keyed: KeyedRequest | None) -> str | None:
    """What an earlier attempt at the request has created, inside the transaction that would create it.

    Raises KeyInFlight for a lease that was taken away, KeyReused where that attempt was another request.
    """
    if keyed is None:
        return None
    row = _lock_row(connection, _leased(keyed.key_lease))
    if row is None or row["attempt"] != keyed.key_lease.attempt:
        raise KeyInFlight(keyed.key_lease.key)
    if row["created_id"] is not None and row["body_sha256"] != keyed.sha256:
        raise KeyReused(keyed.key_lease.key)
    created: str | None = row["created_id"]
    return created


def note_created(connection: sa.Connection, keyed: KeyedRequest | None, created_id: str) -> None:
    """Write down, together with what is created, that it was created for this request."""
    if keyed is not None:
        values = {"created_id": created_id, "body_sha256": keyed.sha256}
        update = sa.update(tables.idempotency_keys).where(_leased(keyed.key_lease))
        connection.execute(update.values(**values))


def _is(principal: Principal, key: str, route: str) -> sa.ColumnElement[bool]:
    whose = sa.and_(COLUMNS.tenant == principal.tenant, COLUMNS.created_by == principal.name)
    return sa.and_(whose, COLUMNS.key == key, COLUMNS.route == route)


def _leased(key_lease: KeyLease) -> sa.ColumnElement[bool]:
    return _is(key_lease.principal, key_lease.key, key_lease.route)


def _lock_row(connection: sa.Connection, this: sa.ColumnElement[bool]) -> sa.RowMapping | None:
    query = sa.select(tables.idempotency_keys).where(this).with_for_update()
    return connection.execute(query).mappings().first()
