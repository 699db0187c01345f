"""Finds what has been left behind: jobs whose worker fell silent, jobs that nobody was told of.

Any number of processes sweep at a time: what a sweep does is a compare-and-set, or harmless when doubled.
"""

import threading
import time
from collections.abc import Callable

import structlog

from worker.errors import StorageFull, StoreUnavailable
from worker.maintenance.orphans import sweep_orphans
from worker.queue.notifier import Notifier
from worker.queue.publisher import Publisher
from worker.settings import Settings
from worker.storage.artifacts import Artifacts
from worker.store import Store
from worker.store.batch_predictions import QUEUE as BATCH_QUEUE

QUEUES = ("cpu", "gpu")
TIDY_SECONDS = 600.0


class Sweeper:
    """A thread that sweeps every few seconds."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        publisher: Publisher,
        notifier: Notifier,
        *,
        also: Callable[[], None] | None = None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._publisher = publisher
        self._notifier = notifier
        self._also = also
        self._closed = threading.Event()
        self._artifacts = Artifacts(settings.data_dir)
        self._tidied_at: float | None = None
        self._log = structlog.get_logger("sweeper")
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)
        self._thread.start()

    def sweep(self) -> None:
        """Look once."""
        for job_id in self._store.sweeps.expired():
            state = self._store.sweeps.reclaim(job_id)
            if state is not None:
                self._log.warning("lease_expired", job_id=job_id, state=str(state))
                self._notifier.notify(job_id)
        for job_id, number in self._store.gradient_checks.expired():
            if (left := self._store.gradient_checks.reclaim(job_id, number)) is not None:
                self._log.warning("check_lease_expired", job_id=job_id, check=number, state=str(left))
                self._notifier.notify(job_id)
        for batch_id in self._store.batch_predictions.expired():
            if (now := self._store.batch_predictions.reclaim(batch_id)) is not None:
                self._log.warning("batch_lease_expired", batch=batch_id, state=str(now))
                self._notifier.notify(batch_id)
        for job_id, queue in self._store.sweeps.unpublished():
            self._publisher.publish(job_id, queue)
        for job_id, number, queue in self._store.gradient_checks.unpublished():
            self._publisher.publish(job_id, queue, check=number)
        for batch_id in self._store.batch_predictions.unpublished():
            self._publisher.publish(batch_id, BATCH_QUEUE, batch=True)
        for queue in QUEUES:
            self._publish_again(queue)
        if self._tidied_at is None or time.monotonic() - self._tidied_at > TIDY_SECONDS:
            self._tidied_at = time.monotonic()
            self.tidy()

    def tidy(self) -> None:
        """Remove what nobody will ask for any more: files without a row, keys older than a day."""
        if orphans := sweep_orphans(self._store, self._artifacts):
            self._log.warning("orphans_removed", files=len(orphans), first=orphans[0])
        while self._store.idempotency_keys.forget():
            continue

    def close(self) -> None:
        """Stop after the sweep that is under way."""
        self._closed.set()
        self._thread.join(self._settings.busy_seconds)

    def _publish_again(self, queue: str) -> None:
        """Publish again the jobs, checks and batch predictions whose message may be lost.

        With as many messages as there are of them waiting, none is, and nudging on would fill the broker.
        """
        unclaimed = self._store.sweeps.unclaimed(queue, self._settings.republish_seconds)
        checks = self._store.gradient_checks.unclaimed(queue, self._settings.republish_seconds)
        batches = self._store.batch_predictions.unclaimed(self._settings.republish_seconds)
        batches = batches if queue == BATCH_QUEUE else []
        if not unclaimed and not checks and not batches:
            return
        backlog = self._publisher.backlog(queue)
        waiting = self._store.sweeps.waiting(queue) + self._store.gradient_checks.waiting(queue)
        waiting += self._store.batch_predictions.waiting() if queue == BATCH_QUEUE else 0
        if backlog is None or backlog >= waiting:
            return
        for job_id, _ in unclaimed:
            self._publisher.publish(job_id, queue)
        for job_id, number, _ in checks:
            self._publisher.publish(job_id, queue, check=number)
        for batch_id in batches:
            self._publisher.publish(batch_id, queue, batch=True)

    def _run(self) -> None:
        while True:
            try:
                if self._also is not None:
                    self._also()
                self.sweep()
            except (StoreUnavailable, StorageFull) as error:
                self._log.warning("sweep_failed", error=str(error))
            if self._closed.wait(self._settings.sweep_seconds):
                return
