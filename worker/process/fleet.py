"""The fleet: the workers that were seen lately, and whether what all lean on answers."""

from worker.domain.fleet import Condition, WorkerRecord
from worker.errors import (
    StoreUnavailable,
)
from worker.queue.notifier import Notifier
from worker.storage.database import Database
from worker.store import TenantStore


class Fleet:
    """What may be asked about workers; thread-safe."""

    def __init__(self, store: TenantStore) -> None:
        self._store = store

    def workers(self) -> tuple[WorkerRecord, ...]:
        """The worker processes that were seen lately; what they do for other tenants is not told."""
        return self._store.workers.alive(self._store.principal)


def health_of(database: Database, notifier: Notifier) -> dict[str, Condition]:
    """Whether the database and Redis answer."""
    sql = Condition(True, database.kind, "answers")
    try:
        database.ping()
    except StoreUnavailable as error:
        sql = Condition(False, database.kind, str(error))
    trouble = notifier.answers()
    detail = "answers" if trouble is None else f"{trouble}; jobs are kept and start later"
    return {"sql": sql, "redis": Condition(trouble is None, "redis", detail)}
