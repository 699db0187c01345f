"""The batch predictions: asked for, each a work item; answered, deleted."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from worker.domain.batch_predictions import BatchPrediction
from worker.domain.datasets import DatasetRecord
from worker.domain.idempotency import KeyedRequest
from worker.domain.models import ModelVersion
from worker.domain.paging import Page
from worker.domain.principals import Principal
from worker.domain.work_items import Failure, Status
from worker.errors import UnknownBatch, UnknownDataset
from worker.storage import tables
from worker.storage.database import Database
from worker.store.idempotency_keys import created_before, note_created
from worker.store.item_rows import ITEMS, ItemRows, NewEvent, new_item
from worker.store.model_rows import ModelKey, lock_version
from worker.store.times import moment, moment_or_none
from worker.store.work_items import refuse_if_full

KIND = "predict_batch"
QUEUE = "cpu"
"""Where they are made: a forward pass alone does not pay for the way to a GPU."""
PRIORITY = 9
"""A batch prediction is short beside a training."""

BATCHES = tables.batch_predictions.c
BATCH = sa.select(
    *tables.batch_predictions.c,
    *(
        ITEMS[name]
        for name in (
            "state",
            "progress",
            "result",
            "error",
            "attempt",
            "created_by",
            "created_at",
            "started_at",
            "finished_at",
        )
    ),
).select_from(tables.batch_predictions.join(tables.work_items, ITEMS.id == BATCHES.id))


class BatchRows(ItemRows):
    """The rows of batch predictions."""

    what = "these predictions"

    def start(
        self,
        connection: sa.Connection,
        row: sa.RowMapping,
        now: float,
        values: Mapping[str, object],
        events: Sequence[NewEvent] = (),
    ) -> None:
        super().start(
            connection, row, now, {**values, "progress": None}, events
        )  # an attempt begins with the first row


class BatchPredictions:
    """Rows of the table `batch_predictions`, of one tenant."""

    def __init__(self, database: Database, principal: Principal) -> None:
        self._database = database
        self._principal = principal
        self._tenant = principal.tenant

    def create(
        self,
        batch_id: str,
        version: ModelVersion,
        dataset: DatasetRecord,
        reference: str,
        form: str,
        *,
        keep: Sequence[str] = (),
        threshold: float | None = None,
        max_queued: int,
        keyed: KeyedRequest | None = None,
    ) -> BatchPrediction:
        """Queue a batch prediction; neither its version nor its dataset can be deleted until it is done."""
        with self._database.write() as connection:
            if (known := created_before(connection, keyed)) is not None:
                return _read(connection, self._tenant, known)
            refuse_if_full(connection, KIND, max_queued)
            lock_version(connection, ModelKey(self._tenant, version.name), version.version)
            there = sa.select(tables.datasets.c.id).where(tables.datasets.c.id == dataset.id)
            if connection.scalar(there.with_for_update(read=True)) is None:
                raise UnknownDataset(reference, pointer="/dataset", hint="It was deleted just now.")
            now = self._database.now(connection)
            item = new_item(batch_id, KIND, now, self._principal, queue=QUEUE, priority=PRIORITY)
            connection.execute(sa.insert(tables.work_items).values(**item))
            connection.execute(
                sa.insert(tables.batch_predictions).values(
                    id=batch_id,
                    name=version.name,
                    version=version.version,
                    dataset_id=dataset.id,
                    reference=reference,
                    format=form,
                    keep=list(keep),
                    threshold=threshold,
                    rows=dataset.rows,
                )
            )
            note_created(connection, keyed, batch_id)
            return _read(connection, self._tenant, batch_id)

    def get(self, batch_id: str) -> BatchPrediction:
        """The batch prediction as it is now; raises UnknownBatch."""
        with self._database.read() as connection:
            return _read(connection, self._tenant, batch_id)

    def page(self, name: str, *, limit: int, after: str | None) -> Page[BatchPrediction]:
        """Those of a model older than `after`, newest first."""
        query = BATCH.where(BATCHES.name == name, ITEMS.tenant == self._tenant).order_by(BATCHES.id.desc())
        if after is not None:
            query = query.where(BATCHES.id < after)
        with self._database.read() as connection:
            rows = connection.execute(query.limit(limit + 1)).mappings().all()
        return Page(tuple(_batch(row) for row in rows[:limit]), has_more=len(rows) > limit)

    def delete(self, batch_id: str) -> str | None:
        """Forget a batch prediction, whatever its state; the file of its result. A worker loses its lease."""
        with self._database.write() as connection:
            own = sa.and_(ITEMS.id == batch_id, ITEMS.tenant == self._tenant)
            connection.execute(sa.select(ITEMS.id).where(own).with_for_update())
            file = _read(connection, self._tenant, batch_id).file
            connection.execute(sa.delete(tables.work_items).where(own))
            return file


def _read(connection: sa.Connection, tenant: str, batch_id: str) -> BatchPrediction:
    row = connection.execute(BATCH.where(BATCHES.id == batch_id, ITEMS.tenant == tenant)).mappings().first()
    if row is None:
        raise UnknownBatch(batch_id)
    return _batch(row)


def _batch(row: sa.RowMapping) -> BatchPrediction:
    state = Status(row["state"])
    result = row["result"] or {}
    done = row["rows"] if state is Status.SUCCEEDED else (row["progress"] or {}).get("rows", 0)
    return BatchPrediction(
        id=row["id"],
        name=row["name"],
        version=row["version"],
        dataset_id=row["dataset_id"],
        reference=row["reference"],
        format=row["format"],
        keep=tuple(row["keep"]),
        threshold=row["threshold"],
        state=state,
        rows=row["rows"],
        rows_done=done,
        file=result.get("file"),
        sha256=result.get("sha256"),
        bytes=result.get("bytes"),
        error=Failure(**row["error"]) if row["error"] is not None else None,
        attempt=row["attempt"],
        created_by=row["created_by"],
        created_at=moment(row["created_at"]),
        started_at=moment_or_none(row["started_at"]),
        finished_at=moment_or_none(row["finished_at"]),
    )
