"""The uploaded sets of initial parameters that the store knows."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from worker.domain.paging import Page
from worker.domain.parameter_sets import ParameterSet
from worker.domain.principals import Principal
from worker.storage import tables
from worker.storage.database import Database
from worker.store.datasets import StoredFile, name_taken, stored_file
from worker.store.times import moment


class ParameterSets:
    """Rows of the table `parameter_sets`, of one tenant."""

    def __init__(self, database: Database, principal: Principal) -> None:
        self._database = database
        self._principal = principal
        self._tenant = principal.tenant

    def add(self, stored: StoredFile, tensors: Mapping[str, Sequence[int]]) -> ParameterSet:
        """Make the set known; `NameTaken` when its name is another's, whatever that one holds."""
        with self._database.write() as connection:
            insert = sa.insert(tables.parameter_sets).values(
                id=stored.id,
                tenant=self._tenant,
                created_by=self._principal.name,
                name=stored.name,
                upload_bytes=stored.upload_bytes,
                upload_sha256=stored.upload_sha256,
                file=stored.file,
                sha256=stored.sha256,
                tensors={name: list(shape) for name, shape in tensors.items()},
                created_at=self._database.now(connection),
            )
            try:
                connection.execute(insert)
            except IntegrityError as error:
                raise name_taken("parameter set", stored.name) from error
            row = connection.execute(_named(self._tenant, stored.id)).mappings().one()
        return _record(row)

    def find(self, reference: str) -> ParameterSet | None:
        """The set with this id or name."""
        with self._database.read() as connection:
            row = connection.execute(_named(self._tenant, reference)).mappings().first()
        return None if row is None else _record(row)

    def stored(self, reference: str) -> StoredFile | None:
        """Where the set with this id or name lies."""
        with self._database.read() as connection:
            row = connection.execute(_named(self._tenant, reference)).mappings().first()
        return None if row is None else stored_file(row)

    def page(self, *, limit: int, after: str | None) -> Page[ParameterSet]:
        """Sets older than `after`, newest first."""
        query = sa.select(tables.parameter_sets).where(tables.parameter_sets.c.tenant == self._tenant)
        query = query.order_by(tables.parameter_sets.c.id.desc()).limit(limit + 1)
        if after is not None:
            query = query.where(tables.parameter_sets.c.id < after)
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return Page(tuple(_record(row) for row in rows[:limit]), has_more=len(rows) > limit)


def _named(tenant: str, reference: str) -> sa.Select[tuple[object, ...]]:
    columns = tables.parameter_sets.c
    own = columns.tenant == tenant  # in both branches, so that each can go by an index
    called = sa.or_(sa.and_(own, columns.id == reference), sa.and_(own, columns.name == reference))
    return sa.select(tables.parameter_sets).where(called)


def _record(row: sa.RowMapping) -> ParameterSet:
    return ParameterSet(
        id=row["id"],
        name=row["name"],
        bytes=row["upload_bytes"],
        sha256=row["sha256"],
        tensors={name: tuple(shape) for name, shape in row["tensors"].items()},
        created_by=row["created_by"],
        created_at=moment(row["created_at"]),
    )
