"""One attempt at a work item: held by a lease, watched, and brought to an end that the store knows of."""

import time
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeAlias, TypeVar

import structlog
from pydantic import ValidationError

from engine import EngineError
from worker.domain.work_items import Failure, Status
from worker.errors import LeaseLost, StorageFull, StoreError, WorkerError
from worker.work.context import Context
from worker.work.endings import Cancelled, Drained, Paused
from worker.work.kind import Kind
from worker.work.watchdog import Ends, Watchdog

RETRY_SECONDS = 0.5
FULL_RETRIES = 10  # of an outcome that the disk has no room for

Outcome = TypeVar("Outcome")


@dataclass
class Made(Generic[Outcome]):
    """An outcome, and whether its files are in place."""

    outcome: Outcome
    saved: bool = False


Ending: TypeAlias = Made[Outcome] | Failure | Cancelled | Drained | Paused


class Attempt(Generic[Outcome]):
    """What is the same for every kind of work."""

    def __init__(self, kind: Kind[Outcome], context: Context) -> None:
        self._kind = kind
        self._context = context
        self._claim = context.claim
        self._items = context.store.work_items
        self._log = structlog.get_logger("attempt").bind(
            kind=kind.name, item=self._claim.item_id, attempt=self._claim.attempt
        )

    def run(self) -> None:
        """Bring the attempt to an end that the store knows of, or lose it to another one."""
        self._log.info("claimed", worker=self._claim.worker)
        self._context.notify()
        ends = Ends(partial(self._items.fail, self._claim), partial(self._items.confirm_cancel, self._claim))
        renew = partial(self._items.renew, self._claim)
        try:
            self._limit()
            with Watchdog(self._context.lease, renew, ends, self._context.settings, deadline=self._context.deadline):
                self._close(self._ending())
        except LeaseLost:
            self._log.warning("lease_lost")
        self._context.notify()

    def _limit(self) -> None:
        """Give the item its own time, if it has less than any attempt."""
        try:
            left = self._kind.seconds_left(self._claim.item, self._context)
        except WorkerError as error:  # the store is away, or the item gone
            self._log.warning("not_begun", error=str(error))
            raise LeaseLost(self._claim.item_id, self._claim.attempt) from error
        self._context.limit(max(0.0, min(left, self._context.settings.max_runtime_seconds)))

    def _ending(self) -> Ending[Outcome]:
        try:
            return Made(self._run())
        except (Cancelled, Drained, Paused) as wish:
            return wish
        except LeaseLost:
            raise
        except StoreError as error:
            self._log.warning("store_unavailable", error=str(error))
            raise LeaseLost(self._claim.item_id, self._claim.attempt) from error
        except Exception as error:  # the task's boundary: one attempt's surprise must not be met five times over
            return self._kind.advise(self._kind.explain(error) or self._failure(error))

    def _run(self) -> Outcome:
        with closing(self._kind.run(self._claim.item, self._context)) as running:
            while True:
                try:
                    progress = next(running)
                except StopIteration as end:
                    outcome: Outcome = end.value
                    return outcome
                if progress is not None:
                    self._context.report(progress)

    def _failure(self, error: Exception) -> Failure:
        what = self._kind.what
        match error:
            case EngineError() | WorkerError():
                return Failure(error.code, str(error), getattr(error, "pointer", None) or None)
            case TimeoutError():
                return Failure("timeout", str(error))
            case MemoryError():
                return Failure("out_of_memory", f"the worker does not have the memory that this {what} needs")
            case ValidationError():
                message = f"this version does not understand what was stored: {error.errors()[0]['msg']}"
                return Failure("invalid_spec", message)
        self._log.error("crashed", exc_info=error)
        return Failure("internal_error", f"the {what} ended unexpectedly; the worker's log says more")

    def _close(self, ending: Ending[Outcome]) -> None:
        """Store the end, as often as it takes while the lease holds."""
        made = ending if isinstance(ending, Made) else None
        status: Status | None = None
        full = 0
        try:
            while status is None:
                self._context.lease.check()
                self._context.lease.progressed()
                try:
                    status = self._store(ending)
                except StoreError as error:
                    self._log.warning("end_not_stored", error=str(error))
                    full += isinstance(error, StorageFull)
                    if full > FULL_RETRIES and isinstance(ending, Made) and not ending.saved:
                        ending = self._kind.advise(Failure(error.code, str(error)))
                    time.sleep(RETRY_SECONDS)
        finally:
            if made is not None and made.saved and status is not Status.SUCCEEDED:
                self._kind.discard(made.outcome, self._context)
        self._log.info("ended", state=str(status), code=ending.code if isinstance(ending, Failure) else None)
        try:
            self._kind.tidy(self._context)
        except WorkerError as error:  # the item may be gone already
            self._log.warning("not_tidied", error=str(error))

    def _store(self, ending: Ending[Outcome]) -> Status:
        if isinstance(ending, Made) and not ending.saved:
            self._kind.save(ending.outcome, self._context)
            ending.saved = True
        self._kind.flush(self._context)
        match ending:
            case Made():
                return self._kind.complete(ending.outcome, self._context)
            case Failure():
                self._items.fail(self._claim, ending)
                return Status.FAILED
            case Cancelled():
                self._items.confirm_cancel(self._claim)
                return Status.CANCELLED
            case Drained():
                return self._items.release(self._claim, "worker_shutdown")
            case Paused():
                return self._items.release(self._claim, "resumed")
