"""The lease on a work item, as the process that holds it knows it."""

import time

from worker.domain.work_items import Claim, Control, Signals
from worker.errors import LeaseLost


class Lease:
    """Good until the store refuses it, or has not confirmed it for `seconds` by this process's own clock.

    `control` and `revision` are what somebody wants of the item.
    """

    def __init__(self, claim: Claim, *, seconds: float) -> None:
        self.claim = claim
        self.control: Control | None = claim.item.control
        self.revision = claim.item.revision
        self.cancel_heard_at: float | None = None
        self.progressed_at = self._held_at = time.monotonic()
        self._seconds = seconds
        self._refused = False

    @property
    def lost(self) -> bool:
        """Whether another attempt may have begun."""
        return self._refused or time.monotonic() - self._held_at > self._seconds

    def note_renewal(self, signals: Signals) -> None:
        """The store has just confirmed the lease, and told what somebody wants."""
        self._held_at = time.monotonic()
        self.control, self.revision = signals.control, signals.revision
        if signals.control == "cancel":
            self.cancel_heard_at = self.cancel_heard_at or self._held_at

    def refused(self) -> None:
        """The store has given the item to another attempt."""
        self._refused = True

    def progressed(self) -> None:
        """The work goes on."""
        self.progressed_at = time.monotonic()

    def check(self) -> None:
        """Raise `LeaseLost` unless the lease still holds."""
        if self.lost:
            raise LeaseLost(self.claim.item_id, self.claim.attempt)
