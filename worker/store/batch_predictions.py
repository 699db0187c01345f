"""The batch predictions: asked for, claimed, answered, deleted; and what the sweeper asks about them."""

from collections.abc import Sequence

import sqlalchemy as sa

from worker.domain.batch_predictions import BatchClaim, BatchPrediction, BatchResult, BatchState
from worker.domain.idempotency import KeyedRequest
from worker.domain.jobs import Failure
from worker.domain.models import ModelVersion
from worker.domain.records import DatasetRecord, Page
from worker.errors import QueueFull, UnknownBatch, UnknownDataset
from worker.storage import tables
from worker.storage.database import Database
from worker.store.idempotency_keys import created_before, note_created
from worker.store.leased_rows import LeasedRows
from worker.store.models import locked_version
from worker.store.times import moment

BATCHES = tables.batch_predictions.c
QUEUE = "cpu"
"""Where they are made: a forward pass alone does not pay for the way to a GPU."""


class BatchPredictions:
    """Rows of the table `batch_predictions`."""

    def __init__(self, database: Database, *, lease_seconds: float, max_attempts: int) -> None:
        self._database = database
        self._rows = LeasedRows(
            database, tables.batch_predictions, lease_seconds=lease_seconds, max_attempts=max_attempts
        )

    # for whoever asks

    def create(
        self,
        batch_id: str,
        version: ModelVersion,
        dataset: DatasetRecord,
        reference: str,
        form: str,
        *,
        max_queued: int,
        keyed: KeyedRequest | None = None,
    ) -> BatchPrediction:
        """Queue a batch prediction; neither its version nor its dataset can be deleted until it is done."""
        with self._database.write() as connection:
            if (known := created_before(connection, keyed)) is not None:
                return _read(connection, known)
            waiting = sa.select(sa.func.count()).where(BATCHES.state == BatchState.QUEUED.value)
            if (connection.scalar(waiting) or 0) >= max_queued:
                raise QueueFull(max_queued)
            locked_version(connection, version.name, version.version)
            there = sa.select(tables.datasets.c.id).where(tables.datasets.c.id == dataset.id)
            if connection.scalar(there.with_for_update(read=True)) is None:
                raise UnknownDataset(reference, pointer="/dataset", hint="It was deleted just now.")
            connection.execute(
                sa.insert(tables.batch_predictions).values(
                    id=batch_id,
                    name=version.name,
                    version=version.version,
                    dataset_id=dataset.id,
                    reference=reference,
                    format=form,
                    state=BatchState.QUEUED.value,
                    rows=dataset.rows,
                    rows_done=0,
                    attempt=0,
                    setbacks=0,
                    created_at=self._database.now(connection),
                )
            )
            note_created(connection, keyed, batch_id)
            return _read(connection, batch_id)

    def get(self, batch_id: str) -> BatchPrediction:
        """The batch prediction as it is now; raises UnknownBatch."""
        with self._database.read() as connection:
            return _read(connection, batch_id)

    def page(self, name: str, *, limit: int, after: str | None) -> Page[BatchPrediction]:
        """Those of a model older than `after`, newest first."""
        query = sa.select(tables.batch_predictions).where(BATCHES.name == name).order_by(BATCHES.id.desc())
        if after is not None:
            query = query.where(BATCHES.id < after)
        with self._database.read() as connection:
            rows = connection.execute(query.limit(limit + 1)).mappings().all()
        return Page(tuple(_batch(row) for row in rows[:limit]), has_more=len(rows) > limit)

    def delete(self, batch_id: str) -> str | None:
        """Forget a batch prediction, whatever its state; the file of its result. A worker loses its lease."""
        with self._database.write() as connection:
            row = self._rows.locked(connection, (batch_id,))
            if row is None:
                raise UnknownBatch(batch_id)
            connection.execute(sa.delete(tables.batch_predictions).where(BATCHES.id == batch_id))
            file: str | None = row["file"]
            return file

    # for the worker

    def claim(self, batch_id: str, worker: str) -> BatchClaim | None:
        """The right to make it, or None when it is not to be had: claimed, done, or never there."""
        with self._database.write() as connection:
            if not self._rows.claim(connection, (batch_id,), worker):
                return None
            row = _row(connection, batch_id)
            begun = {"started_at": row["started_at"] or self._database.now(connection), "rows_done": 0}
            self._rows.update(connection, row, begun)
            return BatchClaim(_read(connection, batch_id), worker)

    def renew(self, claim: BatchClaim, rows_done: int | None = None) -> None:
        """Hold the lease for another while, and say how far the work is."""
        with self._database.write() as connection:
            values = {} if rows_done is None else {"rows_done": rows_done}
            self._rows.renew(connection, self._held(connection, claim), values)

    def succeed(self, claim: BatchClaim, result: BatchResult) -> None:
        """Keep the result."""
        with self._database.write() as connection:
            now = _row(connection, claim.batch.id)
            if now["state"] == BatchState.SUCCEEDED and now["attempt"] == claim.attempt:
                return  # said before, and the answer was lost
            row = self._held(connection, claim)
            values = {"rows_done": row["rows"], "file": result.file, "sha256": result.sha256, "bytes": result.bytes}
            self._rows.end(connection, row, BatchState.SUCCEEDED.value, values)

    def fail(self, claim: BatchClaim, failure: Failure) -> None:
        """Close it as one that cannot be made."""
        with self._database.write() as connection:
            self._rows.fail(connection, self._held(connection, claim), failure)

    def release(self, claim: BatchClaim) -> None:
        """Give it back to the queue, as this worker is about to end: that is no fault of its own."""
        with self._database.write() as connection:
            self._rows.requeue(connection, self._held(connection, claim), {})

    # for the sweeper: each answer is a compare-and-set

    def expired(self, limit: int = 100) -> list[str]:
        """Running ones whose lease has run out."""
        return [str(key[0]) for key in self._rows.expired(limit)]

    def reclaim(self, batch_id: str) -> BatchState | None:
        """Take one away from a worker that went silent; its new state, or None with nothing to take."""
        with self._database.write() as connection:
            state = self._rows.reclaim(connection, (batch_id,), "these predictions")
        return None if state is None else BatchState(state)

    def unpublished(self, limit: int = 1000) -> list[str]:
        """Queued ones that nobody has been told of."""
        return self._queued(BATCHES.published_at.is_(None), limit)

    def unclaimed(self, seconds: float, limit: int = 1000) -> list[str]:
        """Those that were announced a while ago and still wait."""
        with self._database.read() as connection:
            now = self._database.now(connection)
        return self._queued(BATCHES.published_at < now - seconds, limit)

    def waiting(self) -> int:
        """How many wait."""
        query = sa.select(sa.func.count()).where(BATCHES.state == BatchState.QUEUED.value)
        with self._database.read() as connection:
            return connection.scalar(query) or 0

    def mark_published(self, batch_ids: Sequence[str]) -> None:
        """Remember that these were announced."""
        self._rows.mark_published([(batch_id,) for batch_id in batch_ids])

    def _queued(self, condition: sa.ColumnElement[bool], limit: int) -> list[str]:
        query = sa.select(BATCHES.id).where(BATCHES.state == BatchState.QUEUED.value, condition)
        with self._database.read() as connection:
            return list(connection.scalars(query.order_by(BATCHES.id).limit(limit)))

    def _held(self, connection: sa.Connection, claim: BatchClaim) -> sa.RowMapping:
        return self._rows.held(connection, (claim.batch.id,), claim.attempt, about=claim.batch.id)


def _row(connection: sa.Connection, batch_id: str) -> sa.RowMapping:
    row = connection.execute(sa.select(tables.batch_predictions).where(BATCHES.id == batch_id)).mappings().first()
    if row is None:
        raise UnknownBatch(batch_id)
    return row


def _read(connection: sa.Connection, batch_id: str) -> BatchPrediction:
    return _batch(_row(connection, batch_id))


def _batch(row: sa.RowMapping) -> BatchPrediction:
    return BatchPrediction(
        id=row["id"],
        name=row["name"],
        version=row["version"],
        dataset_id=row["dataset_id"],
        reference=row["reference"],
        format=row["format"],
        state=BatchState(row["state"]),
        rows=row["rows"],
        rows_done=row["rows_done"],
        file=row["file"],
        sha256=row["sha256"],
        bytes=row["bytes"],
        error=Failure(**row["error"]) if row["error"] is not None else None,
        attempt=row["attempt"],
        created_at=moment(row["created_at"]),
        started_at=None if row["started_at"] is None else moment(row["started_at"]),
        finished_at=None if row["finished_at"] is None else moment(row["finished_at"]),
    )
