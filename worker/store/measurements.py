"""What a job measured: its metrics by epoch, its events, its model."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from pydantic import JsonValue

from worker.domain.events import Event
from worker.domain.measurements import DatedRow, LayersMeasured, MetricsRow
from worker.domain.paging import Page
from worker.domain.principals import Principal
from worker.errors import NoModel
from worker.storage import tables
from worker.storage.database import Database
from worker.store.job_rows import read_warnings
from worker.store.owned_jobs import is_job_of, job_state
from worker.store.times import moment, rfc3339
from worker.store.training_log import SavedModel

READ_ROWS = 1000
"""Rows that are in memory at a time while a whole series is read."""

LEAST_POINTS = 6
"""First, last, and the extremes of two costs in between."""


class Measurements:
    """Rows that attempts at one tenant's jobs have left behind."""

    def __init__(self, database: Database, principal: Principal) -> None:
        self._database = database
        self._tenant = principal.tenant

    def page(self, job_id: str, *, after: int, limit: int) -> Page[DatedRow]:
        """Rows of the epochs behind `after`, ascending."""
        columns = tables.metrics.c
        query = (
            sa.select(columns.row, columns.at)
            .where(columns.job_id == job_id, columns.epoch > after)
            .order_by(columns.epoch)
            .limit(limit + 1)
        )
        with self._database.read() as connection:
            job_state(connection, self._tenant, job_id)
            rows = connection.execute(query).all()
        return Page(tuple(_dated(row) for row in rows[:limit]), has_more=len(rows) > limit)

    def thinned(self, job_id: str, *, after: int, points: int) -> tuple[DatedRow, ...]:
        """At most `points` rows that keep the shape: first, last, and each stretch's extremes of the costs.

        The database chooses, so only the rows that are handed out are read.
        """
        columns = tables.metrics.c
        series = sa.and_(columns.job_id == job_id, columns.epoch > after)
        with self._database.read() as connection:
            job_state(connection, self._tenant, job_id)
            bounds = sa.select(sa.func.count(), sa.func.min(columns.epoch), sa.func.max(columns.epoch))
            count, first, last = connection.execute(bounds.where(series)).one()
            query = sa.select(columns.row, columns.at).where(series).order_by(columns.epoch)
            if count > points:
                stretches = (points - 2) // 4
                query = query.where(columns.epoch.in_(_extremes(series, first, last, stretches)))
            return tuple(_dated(row) for row in connection.execute(query))

    def rows(self, job_id: str, *, after: int = -1) -> Iterator[DatedRow]:
        """Every row of the epochs behind `after`, read a thousand at a time, with no transaction open in between."""
        while True:
            page = self.page(job_id, after=after, limit=READ_ROWS)
            for row in page.data:
                after = int(row["epoch"] or 0)
                yield row
            if not page.has_more:
                return

    def every(self, job_id: str, stride: int) -> tuple[MetricsRow, ...]:
        """Rows of the first, the last and every so many epochs: the same ones for whichever jobs are compared."""
        columns = tables.metrics.c
        own = sa.and_(columns.job_id == job_id, is_job_of(self._tenant, job_id))
        last = sa.select(sa.func.max(columns.epoch)).where(own).scalar_subquery()
        query = sa.select(columns.row).where(
            own, sa.or_(columns.epoch % stride == 0, columns.epoch == 1, columns.epoch == last)
        )
        with self._database.read() as connection:
            return tuple(connection.scalars(query.order_by(columns.epoch)))

    def marks(self, job_id: str, types: Collection[str], limit: int) -> tuple[Event, ...]:
        """Events of these types, oldest first."""
        columns = tables.events.c
        query = sa.select(tables.events).where(
            columns.job_id == job_id, columns.type.in_(types), is_job_of(self._tenant, job_id)
        )
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(columns.seq).limit(limit)).mappings()
            return tuple(_event(row) for row in rows)

    def events(self, job_id: str, *, after: int, limit: int) -> Page[Event]:
        """Events behind number `after`, ascending."""
        columns = tables.events.c
        query = (
            sa.select(tables.events)
            .where(columns.job_id == job_id, columns.seq > after)
            .order_by(columns.seq)
            .limit(limit + 1)
        )
        with self._database.read() as connection:
            job_state(connection, self._tenant, job_id)
            rows = connection.execute(query).mappings().all()
        return Page(tuple(_event(row) for row in rows[:limit]), has_more=len(rows) > limit)

    def layers(self, job_id: str, *, after: int, limit: int) -> Page[LayersMeasured]:
        """The layers' statistics of the measured epochs behind `after`, ascending."""
        columns = tables.layer_statistics.c
        query = (
            sa.select(columns.epoch, columns.layers)
            .where(columns.job_id == job_id, columns.epoch > after)
            .order_by(columns.epoch)
            .limit(limit + 1)
        )
        with self._database.read() as connection:
            job_state(connection, self._tenant, job_id)
            rows = connection.execute(query).all()
        found = tuple(LayersMeasured(row.epoch, row.layers) for row in rows[:limit])
        return Page(found, has_more=len(rows) > limit)

    def warnings(self, job_id: str) -> tuple[Mapping[str, JsonValue], ...]:
        """What the job was warned of, in the epochs that count."""
        with self._database.read() as connection:
            job_state(connection, self._tenant, job_id)
            return read_warnings(connection, job_id, None)

    def model(self, job_id: str) -> SavedModel:
        """Where the job's model is; `NoModel` before it has succeeded."""
        columns = tables.models.c
        query = sa.select(columns.file, columns.sha256, columns.weights_sha256).where(columns.job_id == job_id)
        with self._database.read() as connection:
            state = job_state(connection, self._tenant, job_id)
            row = connection.execute(query).first()
        if row is None:
            raise NoModel(job_id, state)
        return SavedModel(row.file, row.sha256, row.weights_sha256)


def _dated(row: sa.Row[Any, Any]) -> DatedRow:
    return {**row.row, "at": rfc3339(row.at)}


def _event(row: sa.RowMapping) -> Event:
    return Event(row["seq"], row["type"], moment(row["at"]), row["attempt"], row["data"])


def _extremes(series: sa.ColumnElement[bool], first: int, last: int, stretches: int) -> sa.Select[tuple[int]]:
    """Epochs to keep: both ends, and where a stretch has its least and greatest costs (the earliest of equals)."""
    columns = tables.metrics.c
    stretch = (columns.epoch - first) * stretches // (last - first + 1)
    cut = sa.select(columns.epoch, columns.train_cost, columns.dev_cost, stretch.label("stretch")).where(series)
    inner = cut.subquery()
    orders = [order(cost) for cost in (inner.c.train_cost, inner.c.dev_cost) for order in (sa.asc, sa.desc)]
    ranks = [
        sa.func.row_number()
        .over(partition_by=inner.c.stretch, order_by=(order.nulls_last(), inner.c.epoch))
        .label(f"rank{number}")
        for number, order in enumerate(orders)
    ]
    ranked = sa.select(inner.c.epoch.label("epoch"), *ranks).subquery()
    chosen = [ranked.c[rank.name] == 1 for rank in ranks]
    return sa.select(ranked.c.epoch).where(sa.or_(ranked.c.epoch.in_((first, last)), *chosen))
