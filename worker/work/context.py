"""What a kind of work has at hand while it runs: the claim and its lease, the store, the files, and `heed`."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from worker.domain.work_items import Claim, Document
from worker.errors import StoreError
from worker.queue.notifier import Notifier
from worker.settings import Settings
from worker.storage.artifacts import Artifacts
from worker.store import TenantStore
from worker.work.endings import Cancelled, Drained, Paused
from worker.work.lease import Lease

REPORT_SECONDS = 0.5


@dataclass
class Context:
    """Of one attempt."""

    claim: Claim
    settings: Settings
    store: TenantStore
    artifacts: Artifacts
    notifier: Notifier
    is_draining: Callable[[], bool]
    what: str  # the kind of work, in sentences
    lease: Lease = field(init=False)
    seconds: float = field(init=False)  # that the attempt may take
    deadline: float = field(init=False)  # on the monotonic clock
    _reported_at: float = field(init=False, default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.lease = Lease(self.claim, seconds=self.settings.lease_seconds)
        self.limit(self.settings.max_runtime_seconds)

    def limit(self, seconds: float) -> None:
        """Have the attempt end after so long, from now."""
        self.seconds = seconds
        self.deadline = time.monotonic() + seconds

    def check(self) -> None:
        """Say that the work goes on; raises LeaseLost, Cancelled, TimeoutError where it must not."""
        self.lease.check()
        self.lease.progressed()
        if self.lease.control == "cancel":
            raise Cancelled
        if time.monotonic() > self.deadline:
            raise TimeoutError(f"the {self.what} has run for longer than the {self.seconds:g} s that it may")

    def heed(self) -> None:
        """Likewise; raises Drained and Paused, too, where the attempt is to end here and go on elsewhere or later."""
        self.check()
        if self.is_draining():
            raise Drained
        if self.lease.control == "pause":
            raise Paused

    def save(self, progress: Document) -> None:
        """Keep where the next attempt is to go on, and tell whoever waits."""
        self.lease.note_renewal(self.store.work_items.save(self.claim, progress))
        self.notify()

    def report(self, progress: Document) -> None:
        """Tell how far the work is, now and then; an attempt after this one does not go on from there."""
        if time.monotonic() - self._reported_at < REPORT_SECONDS:
            return
        self._reported_at = time.monotonic()
        with suppress(StoreError):  # the watchdog renews as well, and knows when it is over
            self.lease.note_renewal(self.store.work_items.renew(self.claim, progress))
            self.notify()

    def notify(self) -> None:
        """Wake whoever waits for the item."""
        self.notifier.notify(self.claim.item.topic)
