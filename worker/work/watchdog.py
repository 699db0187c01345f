"""A thread beside the one that works: it renews the lease while the work moves, and ends the process when it must.

Work may hang where Python cannot reach it, in a long product of matrices or on a disk that does not answer. Only
the end of the process then makes sure that it does no harm; the store, or the sweeper, knows what became of the job.
"""

import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from worker.domain.work_items import Failure, Signals
from worker.errors import LeaseLost, StoreError
from worker.settings import Settings
from worker.work.lease import Lease

GAVE_UP = 70  # exit status: an internal software error
LOOK_SECONDS = 0.5
CANCEL_GRACE_SECONDS = 30.0  # for the work to see that it is cancelled
GRACE_SECONDS = 10.0  # for the work to see that its lease is lost, or its time up
PAGE = resource.getpagesize()


@dataclass(frozen=True)
class Ends:
    """How the watchdog tells the store of an end that the work itself cannot tell."""

    fail: Callable[[Failure], None]
    cancelled: Callable[[], None]


class Watchdog:
    """Watches for as long as its block lasts; `deadline` is on the monotonic clock."""

    def __init__(
        self, lease: Lease, renew: Callable[[], Signals], ends: Ends, settings: Settings, *, deadline: float
    ) -> None:
        self._lease = lease
        self._renew = renew
        self._ends = ends
        self._settings = settings
        self._deadline = deadline
        self._renewed_at = time.monotonic()
        self._lost_at: float | None = None
        self._ended = threading.Event()
        self._log = structlog.get_logger("watchdog").bind(item=lease.claim.item_id, attempt=lease.claim.attempt)
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(self._settings.busy_seconds)  # what it asks of the store is answered before that is closed

    def _run(self) -> None:
        while not self._ended.wait(min(LOOK_SECONDS, self._settings.heartbeat_seconds)):
            now = time.monotonic()
            if now - self._renewed_at >= self._settings.heartbeat_seconds:
                self._renew_if_it_moves(now)
            self._look(now)

    def _renew_if_it_moves(self, now: float) -> None:
        stalled = now - self._lease.progressed_at
        if self._lease.lost:
            return
        if stalled > self._settings.stall_seconds:
            self._log.warning("work_stalled", seconds=round(stalled))
            return
        try:
            self._lease.note_renewal(self._renew())
            self._renewed_at = now
        except LeaseLost:
            self._lease.refused()
        except StoreError as error:
            self._log.warning("heartbeat_failed", error=str(error))

    def _look(self, now: float) -> None:
        """End the process if there is a reason to."""
        if self._lease.lost:
            self._lost_at = self._lost_at or now
            if now - self._lost_at > GRACE_SECONDS:
                self._exit("lease_lost", None)
            return
        cancel = self._lease.cancel_heard_at
        if cancel is not None and now - cancel > CANCEL_GRACE_SECONDS:
            self._exit("cancel_ignored", self._ends.cancelled)
        if now - self._deadline > GRACE_SECONDS:
            message = "the time that the job may take was up, and its work could not be interrupted"
            self._exit("timeout", lambda: self._ends.fail(Failure("timeout", message, "/training/epochs")))
        limit, used = self._settings.memory_limit, memory_used()
        if used > limit:
            message = (
                f"the job took {used >> 20} MiB of memory, and {limit >> 20} MiB are allowed "
                "(TRAINSHED_MAX_MEMORY_BYTES)"
            )
            hint = "choose a smaller batch, fewer units or a smaller dataset"
            self._exit(
                "out_of_memory",
                lambda: self._ends.fail(Failure("out_of_memory", message, "/training/batch_size", hint)),
            )

    def _exit(self, why: str, tell: Callable[[], None] | None) -> None:
        """End this process at once; if the store cannot be told why, the sweeper finds the job."""
        if self._ended.is_set():
            return
        self._log.error("process_ended", why=why)
        if tell is not None:
            try:
                tell()
            except (LeaseLost, StoreError) as error:
                self._log.warning("end_not_stored", error=str(error))
        os._exit(GAVE_UP)


def memory_used() -> int:
    """Bytes of memory that this process holds (its resident set)."""
    statm = Path("/proc/self/statm")
    if not statm.exists():  # not Linux: the most that it ever held, which macOS gives in bytes
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return int(statm.read_text().split()[1]) * PAGE
