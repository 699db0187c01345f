"""Finds what has been left behind: jobs whose worker fell silent, jobs that nobody was told of.

Any number of processes sweep at a time: what a sweep does is a compare-and-set, or harmless when doubled.
"""

import threading
import time
from collections.abc import Callable
from typing import Self

import structlog

from worker.errors import StoreError
from worker.maintenance.leases import expire_leases
from worker.maintenance.orphans import sweep_orphans
from worker.maintenance.unpublished import publish_waiting
from worker.queue.notifier import Notifier
from worker.queue.publisher import Publisher
from worker.settings import Settings
from worker.storage.artifacts import Artifacts
from worker.store import Store
from worker.store.idempotency_keys import forget_keys

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

    def start(self) -> Self:
        """Begin to sweep."""
        self._thread.start()
        return self

    def sweep(self) -> None:
        """Look once."""
        expire_leases(self._store, self._notifier)
        publish_waiting(self._store, self._publisher, unclaimed_seconds=self._settings.republish_seconds)
        if self._tidied_at is None or time.monotonic() - self._tidied_at > TIDY_SECONDS:
            self._tidied_at = time.monotonic()
            self.tidy()

    def tidy(self) -> None:
        """Remove what nobody will ask for any more: files without a row, keys older than a day."""
        if orphans := sweep_orphans(self._store, self._artifacts):
            self._log.warning("orphans_removed", files=len(orphans), first=orphans[0])
        while forget_keys(self._store.database):
            continue

    def close(self) -> None:
        """Stop after the sweep that is under way."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(self._settings.busy_seconds)

    def _run(self) -> None:
        while True:
            try:
                if self._also is not None:
                    self._also()
                self.sweep()
            except StoreError as error:
                self._log.warning("sweep_failed", error=str(error))
            if self._closed.wait(self._settings.sweep_seconds):
                return
