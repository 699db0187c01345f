"""The lease on a job, or a gradient check, while it is worked on: renewed by a thread, given up when it cannot be."""

import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import structlog

from worker.errors import LeaseLost, StorageFull, StoreUnavailable
from worker.gradient_checks import CheckClaim
from worker.jobs import Claim, Control
from worker.settings import Settings

CANCEL_GRACE_SECONDS = 30.0
GAVE_UP = 70  # exit status: an internal software error


class Lease:
    """Holds a claim for as long as its block lasts.

    `control` is what somebody wants of the job. After `lease_seconds` without an answer from the store the
    lease counts as lost, by this process's own clock.
    """

    def __init__(self, claim: Claim | CheckClaim, renew: Callable[[], Control | None], settings: Settings) -> None:
        self.claim = claim
        self.control: Control | None = None
        self._renew = renew
        self._settings = settings
        self._lost = False
        self._held_at = time.monotonic()
        self._cancel_at: float | None = None
        self._ended = threading.Event()
        self._log = structlog.get_logger("lease")
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()

    def held(self, control: Control | None) -> None:
        """The store has just confirmed the lease, and told what somebody wants."""
        self._held_at = time.monotonic()
        if control is not None:
            self.control = control
            self._cancel_at = self._cancel_at or self._held_at

    def check(self) -> None:
        """Raise `LeaseLost` unless the lease still holds."""
        if self._lost or time.monotonic() - self._held_at > self._settings.lease_seconds:
            raise LeaseLost(self.claim.job_id, self.claim.attempt)

    def _run(self) -> None:
        while not self._ended.wait(self._settings.heartbeat_seconds):
            try:
                self.held(self._renew())
            except LeaseLost:
                self._lost = True
                return
            except (StoreUnavailable, StorageFull) as error:
                self._log.warning("heartbeat_failed", job_id=self.claim.job_id, error=str(error))
            if self._cancel_at is not None and time.monotonic() - self._cancel_at > CANCEL_GRACE_SECONDS:
                # the training hangs where Python cannot reach it; the sweeper will find the job and close it
                self._log.error("cancel_ignored", job_id=self.claim.job_id)
                os._exit(GAVE_UP)
