"""The worker processes that were seen lately: who serves which queue, and with what job."""

from collections.abc import Sequence

import sqlalchemy as sa

from worker.domain.fleet import WorkerRecord
from worker.domain.principals import Principal
from worker.storage import tables
from worker.storage.database import Database
from worker.store.job_records import SEEN_SECONDS
from worker.store.times import moment

FORGET_SECONDS = 3600.0


class Workers:
    """Rows of the table `workers`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def seen(
        self,
        worker: str,
        *,
        host: str,
        pid: int,
        queues: Sequence[str],
        job_id: str | None,
        device: str | None = None,
        memory_bytes: int | None = None,
        threads: int | None = None,
    ) -> None:
        """Note that the worker lives, and what it does; forget those that have been silent for an hour.

        `device` is what it trains on, `memory_bytes` what it holds of the machine's memory, `threads` what one job may
        compute with.
        """
        present = {"job_id": job_id, "device": device, "memory_bytes": memory_bytes, "threads": threads}
        columns = tables.workers.c
        with self._database.write() as connection:
            now = self._database.now(connection)
            update = sa.update(tables.workers).where(columns.id == worker).values(seen_at=now, **present)
            if connection.execute(update).rowcount == 0:
                connection.execute(
                    sa.insert(tables.workers).values(
                        id=worker,
                        host=host,
                        pid=pid,
                        queues=f",{','.join(queues)},",
                        started_at=now,
                        seen_at=now,
                        **present,
                    )
                )
                connection.execute(sa.delete(tables.workers).where(columns.seen_at < now - FORGET_SECONDS))

    def gone(self, worker: str) -> None:
        """Forget a worker that said goodbye."""
        with self._database.write() as connection:
            connection.execute(sa.delete(tables.workers).where(tables.workers.c.id == worker))

    def alive(self, seen_by: Principal | None) -> tuple[WorkerRecord, ...]:
        """The workers that were seen in the last half minute, oldest first.

        A principal is not told what they do for other tenants; None sees it all.
        """
        columns, items = tables.workers.c, tables.work_items.c
        query = sa.select(tables.workers)
        if seen_by is not None:
            own = sa.case((items.tenant == seen_by.tenant, columns.job_id)).label("job_id")
            told = [own if column.name == "job_id" else column for column in columns]
            query = sa.select(*told).outerjoin(tables.work_items, items.id == columns.job_id)
        with self._database.read() as connection:
            now = self._database.now(connection)
            query = query.where(columns.seen_at > now - SEEN_SECONDS).order_by(columns.id)
            rows = connection.execute(query).mappings().all()
        return tuple(
            WorkerRecord(
                id=row["id"],
                host=row["host"],
                pid=row["pid"],
                queues=tuple(row["queues"].strip(",").split(",")),
                started_at=moment(row["started_at"]),
                seen_at=moment(row["seen_at"]),
                job_id=row["job_id"],
                device=row["device"],
                memory_bytes=row["memory_bytes"],
                threads=row["threads"],
            )
            for row in rows
        )
