"""What the checks found about data, kept for as long as the data."""

from collections.abc import Mapping

import sqlalchemy as sa
from pydantic import JsonValue
from sqlalchemy.exc import IntegrityError

from worker.storage import tables
from worker.storage.database import Database


class DataReports:
    """Rows of the table `data_reports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, key: str) -> Mapping[str, JsonValue] | None:
        """The report of this key."""
        with self._database.read() as connection:
            columns = tables.data_reports.c
            found: Mapping[str, JsonValue] | None = connection.scalar(
                sa.select(columns.report).where(columns.key == key)
            )
        return found

    def keep(self, key: str, dataset_id: str, report: Mapping[str, JsonValue]) -> None:
        """Store a report, unless it is there or its dataset is gone."""
        with self._database.write() as connection:
            insert = sa.insert(tables.data_reports).values(
                key=key, dataset_id=dataset_id, report=dict(report), created_at=self._database.now(connection)
            )
            try:
                with connection.begin_nested():
                    connection.execute(insert)
            except IntegrityError:  # somebody made the same one, or deleted the dataset, in the meantime
                return
