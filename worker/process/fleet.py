"""The fleet: the workers that were seen lately, and whether what all lean on answers."""

from worker.domain.records import (
    Condition,
    WorkerRecord,
)
from worker.errors import (
    StoreUnavailable,
)
from worker.queue.notifier import Notifier
from worker.store import Store


class Fleet:
    """What may be asked about workers, the database and Redis; thread-safe."""

    def __init__(self, store: Store, notifier: Notifier) -> None:
        self._store = store
        self._notifier = notifier

    def workers(self) -> tuple[WorkerRecord, ...]:
        """The worker processes that were seen lately."""
        return self._store.workers.alive()

    def health(self) -> dict[str, Condition]:
        """Whether the database and Redis answer."""
        sql = Condition(True, self._store.database.kind, "answers")
        try:
            self._store.database.ping()
        except StoreUnavailable as error:
            sql = Condition(False, self._store.database.kind, str(error))
        trouble = self._notifier.answers()
        detail = "answers" if trouble is None else f"{trouble}; jobs are kept and start later"
        return {"sql": sql, "redis": Condition(trouble is None, "redis", detail)}
