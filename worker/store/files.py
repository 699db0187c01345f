"""The files that rows name: what no row names may be removed."""

from collections.abc import Collection, Iterator, Sequence

import sqlalchemy as sa

from worker.storage import tables
from worker.storage.database import Database

NAMING = (tables.models.c.file, tables.model_versions.c.file, tables.checkpoints.c.file)
AT_A_TIME = 500
"""A statement cannot name any number of values."""


class Files:
    """Columns that name files of models and checkpoints."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unnamed(self, files: Collection[str]) -> set[str]:
        """Those of the files that no row names."""
        named: set[str] = set()
        with self._database.read() as connection:
            for some in _batched(sorted(files)):
                for column in NAMING:
                    named.update(connection.scalars(sa.select(column).where(column.in_(some))))
        return set(files) - named


def _batched(files: Sequence[str]) -> Iterator[Sequence[str]]:
    return (files[start : start + AT_A_TIME] for start in range(0, len(files), AT_A_TIME))
