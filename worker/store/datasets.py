"""The datasets that the store knows; their contents are artifacts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from pydantic import JsonValue
from sqlalchemy.exc import IntegrityError

from worker.domain.datasets import DatasetRecord, DatasetUse, PinnedDataset
from worker.domain.ids import is_id
from worker.domain.names import versioned
from worker.domain.paging import Page
from worker.domain.principals import Principal
from worker.domain.work_items import LIVE
from worker.errors import DatasetInUse, NameTaken
from worker.storage import tables
from worker.storage.database import Database
from worker.store.times import moment


@dataclass(frozen=True)
class StoredFile:
    """An artifact and the upload that it was made from."""

    id: str
    name: str
    upload_bytes: int
    upload_sha256: str
    file: str  # relative to the artifacts' root
    sha256: str


class Datasets:
    """Rows of the table `datasets`, of one tenant."""

    def __init__(self, database: Database, principal: Principal) -> None:
        self._database = database
        self._principal = principal
        self._tenant = principal.tenant

    def add(
        self, stored: StoredFile, *, media_type: str | None, rows: int, summary: Mapping[str, JsonValue]
    ) -> tuple[DatasetRecord, bool]:
        """Make the next version of the name known; the newest itself, and False, where it has the same content."""
        with self._database.write() as connection:
            versions = _lock_name(connection, self._tenant, stored.name)
            newest = connection.execute(_named(self._tenant, stored.name)).mappings().first()
            if newest is not None and newest["sha256"] == stored.sha256:  # whatever archive or format it came in
                if newest["summary"] != summary:  # what was guessed the first time may be told now
                    this_one = tables.datasets.c.id == newest["id"]
                    connection.execute(sa.update(tables.datasets).where(this_one).values(summary=dict(summary)))
                    newest = connection.execute(_named(self._tenant, newest["id"])).mappings().one()
                return _record(newest), False
            this = _is_name(self._tenant, stored.name)
            connection.execute(sa.update(tables.dataset_names).where(this).values(versions=versions + 1))
            insert = sa.insert(tables.datasets).values(
                id=stored.id,
                tenant=self._tenant,
                created_by=self._principal.name,
                name=stored.name,
                version=versions + 1,
                media_type=media_type,
                upload_bytes=stored.upload_bytes,
                upload_sha256=stored.upload_sha256,
                file=stored.file,
                sha256=stored.sha256,
                rows=rows,
                summary=dict(summary),
                created_at=self._database.now(connection),
            )
            connection.execute(insert)
            row = connection.execute(_named(self._tenant, stored.id)).mappings().one()
        return _record(row), True

    def find(self, reference: str) -> DatasetRecord | None:
        """The dataset with this id; or the newest of this name; or, as `name@2`, its second version."""
        with self._database.read() as connection:
            row = connection.execute(_named(self._tenant, reference)).mappings().first()
        return None if row is None else _record(row)

    def pinned(self, reference: str) -> PinnedDataset | None:
        """Which dataset `find` would find: without its summary, which is long."""
        with self._database.read() as connection:
            row = connection.execute(*_lookup(self._tenant, reference, "pin")).first()
        return None if row is None else PinnedDataset(row.id, row.sha256)

    def stored(self, reference: str) -> StoredFile | None:
        """Where the dataset with this id or name lies, found as `find` does."""
        with self._database.read() as connection:
            row = connection.execute(_named(self._tenant, reference)).mappings().first()
        return None if row is None else stored_file(row)

    def page(self, *, limit: int, after: str | None, name: str | None = None) -> Page[DatasetRecord]:
        """Datasets older than `after`, newest first; of one name, its versions."""
        query = sa.select(tables.datasets).where(tables.datasets.c.tenant == self._tenant)
        query = query.order_by(tables.datasets.c.id.desc()).limit(limit + 1)
        if after is not None:
            query = query.where(tables.datasets.c.id < after)
        if name is not None:
            query = query.where(tables.datasets.c.name == name)
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return Page(tuple(_record(row) for row in rows[:limit]), has_more=len(rows) > limit)

    def uses(self, dataset_id: str, *, limit: int) -> tuple[tuple[DatasetUse, ...], dict[str, int]]:
        """The newest jobs that learn from the dataset; and how many there are, not done, and with a model."""
        items, jobs, inputs, models = tables.work_items, tables.jobs, tables.job_inputs, tables.models
        used = (
            sa.select(
                jobs.c.id,
                jobs.c.name,
                items.c.state,
                items.c.created_at,
                models.c.sha256,
                sa.func.min(inputs.c.reference),
            )
            .select_from(
                inputs.join(jobs, jobs.c.id == inputs.c.job_id)
                .join(items, items.c.id == jobs.c.id)
                .outerjoin(models, models.c.job_id == jobs.c.id)
            )
            .where(inputs.c.input_id == dataset_id)
            .group_by(jobs.c.id, jobs.c.name, items.c.state, items.c.created_at, models.c.sha256)
        )
        whole = used.subquery()
        counts = sa.select(
            sa.func.count().label("jobs"),
            sa.func.count(sa.case((whole.c.state.in_(LIVE), 1))).label("live"),
            sa.func.count(whole.c.sha256).label("models"),
        )
        with self._database.read() as connection:
            rows = connection.execute(used.order_by(jobs.c.id.desc()).limit(limit)).all()
            counted = connection.execute(counts).mappings().one()
        uses = (DatasetUse(i, name, state, reference, moment(at), sha) for i, name, state, at, sha, reference in rows)
        return tuple(uses), dict(counted)

    def delete(self, reference: str) -> StoredFile | None:
        """Forget the dataset and say where it lay; `DatasetInUse` while a job that is not done needs it."""
        with self._database.write() as connection:
            row = connection.execute(_named(self._tenant, reference).with_for_update()).mappings().first()
            if row is None:
                return None
            items = tables.work_items.c
            needed = (
                sa.select(items.id)
                .join(tables.job_inputs, tables.job_inputs.c.job_id == items.id)
                .where(tables.job_inputs.c.input_id == row["id"], items.state.in_(LIVE))
                .order_by(items.id)
            )
            job_id: str | None = connection.scalar(needed.limit(1))
            if job_id is not None:
                raise DatasetInUse(reference, f"job {job_id}; cancel the job")
            batches = tables.batch_predictions.c
            live = (
                sa.select(batches.id)
                .join(tables.work_items, items.id == batches.id)
                .where(batches.dataset_id == row["id"], items.state.in_(LIVE))
            )
            if (batch_id := connection.scalar(live.limit(1))) is not None:
                raise DatasetInUse(reference, f"batch prediction {batch_id}; delete that")
            connection.execute(sa.delete(tables.datasets).where(tables.datasets.c.id == row["id"]))
        return stored_file(row)


def name_taken(kind: str, name: str) -> NameTaken:
    """The complaint about a name that is another's."""
    return NameTaken(f"there is already a {kind} {name!r} with other content; choose another name")


def stored_file(row: sa.RowMapping) -> StoredFile:
    """The columns that every table of artifacts has."""
    return StoredFile(row["id"], row["name"], row["upload_bytes"], row["upload_sha256"], row["file"], row["sha256"])


def _named(tenant: str, reference: str) -> sa.Select[tuple[object, ...]]:
    statement, values = _lookup(tenant, reference)
    return statement.params(values)


def _lookup(
    tenant: str, reference: str, columns: Literal["all", "pin"] = "all"
) -> tuple[sa.Select[tuple[object, ...]], dict[str, object]]:
    """By id, as `name@2`, or by name alone, which means the newest; no name looks like an id."""
    if is_id("ds", reference):
        return IDENTIFIED[columns], {"tenant": tenant, "reference": reference}
    name, version = versioned(reference)
    return NAMED[columns], {"tenant": tenant, "name": name, "version": version}


def _looked_up(query: sa.Select[tuple[object, ...]]) -> dict[str, sa.Select[tuple[object, ...]]]:
    return {"all": query, "pin": query.with_only_columns(COLUMNS.id, COLUMNS.sha256)}


# Made once: making a statement takes longer than carrying it out. Two, as one with OR looks through all of a tenant's.
COLUMNS, VERSION = tables.datasets.c, sa.bindparam("version", type_=sa.Integer)
OWN = sa.select(tables.datasets).where(COLUMNS.tenant == sa.bindparam("tenant"))
IDENTIFIED = _looked_up(OWN.where(COLUMNS.id == sa.bindparam("reference")))
NAMED = _looked_up(
    OWN.where(COLUMNS.name == sa.bindparam("name"), sa.or_(VERSION.is_(sa.null()), COLUMNS.version == VERSION))
    .order_by(COLUMNS.version.desc())
    .limit(1)
)


def _is_name(tenant: str, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(tables.dataset_names.c.tenant == tenant, tables.dataset_names.c.name == name)


def _lock_name(connection: sa.Connection, tenant: str, name: str) -> int:
    """How many versions the name has had; nobody else makes one until the transaction ends."""
    names = tables.dataset_names
    locking = sa.select(names.c.versions).where(_is_name(tenant, name)).with_for_update()
    versions: int | None = connection.scalar(locking)
    if versions is None:
        try:
            with connection.begin_nested():
                connection.execute(sa.insert(names).values(tenant=tenant, name=name, versions=0))
        except IntegrityError:  # somebody else was first, and is done by now
            pass
        versions = connection.scalar(locking)
    return versions or 0


def _record(row: sa.RowMapping) -> DatasetRecord:
    return DatasetRecord(
        id=row["id"],
        name=row["name"],
        version=row["version"],
        media_type=row["media_type"],
        bytes=row["upload_bytes"],
        sha256=row["sha256"],
        rows=row["rows"],
        summary=row["summary"],
        created_by=row["created_by"],
        created_at=moment(row["created_at"]),
    )
