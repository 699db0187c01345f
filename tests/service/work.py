"""The worker's part, done by hand on the worker's own store."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from worker.domain.measurements import MetricsRow
from worker.domain.work_items import Claim, Failure
from worker.settings import Settings
from worker.store import NewEvent, Store, open_store


class Work:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.batch = 0

    @classmethod
    @contextmanager
    def on(cls, settings: Settings) -> Iterator["Work"]:
        store = open_store(settings)
        try:
            yield cls(store)
        finally:
            store.close()

    def claim(self, job_id: str) -> Claim:
        claim = self.store.work_items.claim(job_id, "worker_by_hand")
        assert claim is not None
        return claim

    def record(self, claim: Claim, rows: Sequence[MetricsRow] = (), events: Sequence[str] = (), epoch: int = 0) -> None:
        self.batch += 1
        self.store.training_log.record(
            claim, self.batch, rows=rows, events=[NewEvent(kind, {"by": "hand"}) for kind in events], epoch=epoch
        )

    def fail(self, claim: Claim) -> None:
        self.store.work_items.fail(claim, Failure("diverged", "the cost became NaN", "/optimizer/learning_rate", None))
