"""What the sweeper asks of the store; each answer is a compare-and-set, so any number of sweepers may ask."""

from collections.abc import Collection, Iterator, Sequence

import sqlalchemy as sa

from worker.domain.jobs import Failure, Status
from worker.storage import tables
from worker.storage.database import Database
from worker.store.claims import cancel_row, fail_row
from worker.store.moves import locked, move


class Sweeps:
    """Jobs that their worker, or the message that should have woken one, has left behind."""

    def __init__(self, database: Database, *, max_attempts: int) -> None:
        self._database = database
        self._max_attempts = max_attempts

    def expired(self, limit: int = 100) -> list[str]:
        """Running jobs whose lease has run out."""
        with self._database.read() as connection:
            now = self._database.now(connection)
            query = sa.select(tables.jobs.c.id).where(
                tables.jobs.c.state == Status.RUNNING.value, tables.jobs.c.lease_until < now
            )
            return list(connection.scalars(query.order_by(tables.jobs.c.id).limit(limit)))

    def reclaim(self, job_id: str) -> Status | None:
        """Take a job away from a worker that went silent; its new state, or None when there was nothing to take."""
        with self._database.write() as connection:
            row = locked(connection, job_id)
            now = self._database.now(connection)
            if row["state"] != Status.RUNNING or row["lease_until"] >= now:
                return None
            setbacks = row["setbacks"] + 1
            if row["control"] == "cancel":
                cancel_row(connection, row, now)
                return Status.CANCELLED
            if setbacks >= self._max_attempts:
                workers = tables.workers.c
                held = connection.scalar(sa.select(workers.memory_bytes).where(workers.id == row["worker"]))
                memory = f"; the last held {held >> 20} MiB of memory when it was last seen" if held else ""
                failure = Failure(
                    "worker_lost",
                    f"{setbacks} workers in a row were lost while they trained this job, without a new checkpoint"
                    f"{memory}",
                    hint="the job may need more memory than a worker has: try a smaller network or batch_size",
                )
                fail_row(connection, row, now, failure)
                return Status.FAILED
            to = Status.PAUSED if row["control"] == "pause" else Status.QUEUED
            move(connection, row, to, now, reason="lease_expired", values={"setbacks": setbacks})
            return to

    def neighbors(self, host: str) -> list[tuple[str, int, int | None]]:
        """(id, process, bytes of memory last seen) of the jobs that workers of a machine train, or should."""
        jobs, workers = tables.jobs.c, tables.workers.c
        query = sa.select(jobs.id, workers.pid, workers.memory_bytes).where(
            jobs.state == Status.RUNNING.value, jobs.worker == workers.id, workers.host == host
        )
        with self._database.read() as connection:
            return [(row.id, row.pid, row.memory_bytes) for row in connection.execute(query)]

    def starved(self, job_id: str, pid: int, failure: Failure) -> bool:
        """Close a job whose worker was ended with this process; whether it was there to be closed."""
        with self._database.write() as connection:
            row = locked(connection, job_id)
            worker = connection.scalar(sa.select(tables.workers.c.pid).where(tables.workers.c.id == row["worker"]))
            if row["state"] != Status.RUNNING or worker != pid:
                return False
            fail_row(connection, row, self._database.now(connection), failure)
            return True

    def unpublished(self, limit: int = 1000) -> list[tuple[str, str]]:
        """(id, queue) of queued jobs that nobody has been told of."""
        return self._queued(tables.jobs.c.published_at.is_(None), limit)

    def unclaimed(self, queue: str, seconds: float, limit: int = 1000) -> list[tuple[str, str]]:
        """(id, queue) of jobs in `queue` that were announced more than `seconds` ago and still wait."""
        with self._database.read() as connection:
            now = self._database.now(connection)
        return self._queued(sa.and_(tables.jobs.c.queue == queue, tables.jobs.c.published_at < now - seconds), limit)

    def waiting(self, queue: str) -> int:
        """How many jobs wait in `queue`."""
        with self._database.read() as connection:
            query = sa.select(sa.func.count()).where(
                tables.jobs.c.state == Status.QUEUED.value, tables.jobs.c.queue == queue
            )
            return connection.scalar(query) or 0

    def mark_published(self, job_ids: Sequence[str]) -> None:
        """Remember that the jobs were announced."""
        with self._database.write() as connection:
            now = self._database.now(connection)
            connection.execute(PUBLISHED, [{"job_id": job_id, "now": now} for job_id in job_ids])

    def unnamed(self, files: Collection[str]) -> set[str]:
        """Those of the files that no row names."""
        named: set[str] = set()
        naming = (tables.models.c.file, tables.model_versions.c.file, tables.checkpoints.c.file)
        with self._database.read() as connection:
            for some in batched(sorted(files), 500):
                for column in naming:
                    named.update(connection.scalars(sa.select(column).where(column.in_(some))))
        return set(files) - named

    def _queued(self, condition: sa.ColumnElement[bool], limit: int) -> list[tuple[str, str]]:
        with self._database.read() as connection:
            query = sa.select(tables.jobs.c.id, tables.jobs.c.queue).where(
                tables.jobs.c.state == Status.QUEUED.value, condition
            )
            rows = connection.execute(query.order_by(tables.jobs.c.id).limit(limit))
            return [(row.id, row.queue) for row in rows]


PUBLISHED = (
    sa.update(tables.jobs)
    .where(tables.jobs.c.id == sa.bindparam("job_id"), tables.jobs.c.state == Status.QUEUED.value)
    .values(published_at=sa.bindparam("now"))
)


def batched(files: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """A statement cannot name any number of values."""
    return (files[start : start + size] for start in range(0, len(files), size))
