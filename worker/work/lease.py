"""The lease on a job, or a gradient check, as the process that holds it knows it."""

import time
from typing import Protocol

from worker.domain.jobs import Claim, Control, Wish
from worker.errors import LeaseLost


class Claimed(Protocol):
    """A worker's right to write about something, by a claim of this number."""

    @property
    def job_id(self) -> str: ...

    @property
    def attempt(self) -> int: ...


class Lease:
    """Good until the store refuses it, or has not confirmed it for `seconds` by this process's own clock.

    `control` and `revision` are what somebody wants of the job.
    """

    def __init__(self, claim: Claimed, *, seconds: float) -> None:
        self.claim = claim
        self.control: Control | None = claim.job.pending if isinstance(claim, Claim) else None
        self.revision = claim.job.revision if isinstance(claim, Claim) else 0
        self.cancel_heard_at: float | None = None
        self.progressed_at = self._held_at = time.monotonic()
        self._seconds = seconds
        self._refused = False

    @property
    def lost(self) -> bool:
        """Whether another attempt may have begun."""
        return self._refused or time.monotonic() - self._held_at > self._seconds

    def held(self, wish: Wish | None) -> None:
        """The store has just confirmed the lease, and told what somebody wants."""
        self._held_at = time.monotonic()
        if wish is not None:
            self.control, self.revision = wish.control, wish.revision
            if wish.control == "cancel":
                self.cancel_heard_at = self.cancel_heard_at or self._held_at

    def refused(self) -> None:
        """The store has given the job to another attempt."""
        self._refused = True

    def progressed(self) -> None:
        """The work goes on."""
        self.progressed_at = time.monotonic()

    def check(self) -> None:
        """Raise `LeaseLost` unless the lease still holds."""
        if self.lost:
            raise LeaseLost(self.claim.job_id, self.claim.attempt)
