"""One attempt at something that is asked for beside a training: held by a lease, brought to an end the store knows.

A gradient check and a batch prediction differ in what they make; how a worker holds on to them is here.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Generic, Protocol, TypeVar

import structlog
from pydantic import ValidationError

from engine import EngineError
from worker.domain.jobs import Failure
from worker.errors import LeaseLost, StorageFull, StoreUnavailable, WorkerError
from worker.queue.notifier import Notifier
from worker.settings import Settings
from worker.work.lease import Claimed, Lease
from worker.work.train import RETRY_SECONDS, Drained
from worker.work.watchdog import Ends, Watchdog

Claim = TypeVar("Claim", bound=Claimed)
Outcome = TypeVar("Outcome")
ClaimOf = TypeVar("ClaimOf", bound=Claimed, contravariant=True)
OutcomeOf = TypeVar("OutcomeOf", contravariant=True)


class Ledger(Protocol[ClaimOf, OutcomeOf]):
    """Where the attempt is written down: the store's part."""

    def renew(self, claim: ClaimOf, /) -> None: ...

    def succeed(self, claim: ClaimOf, outcome: OutcomeOf, /) -> None: ...

    def fail(self, claim: ClaimOf, failure: Failure, /) -> None: ...

    def release(self, claim: ClaimOf, /) -> None: ...


class Attempt(ABC, Generic[Claim, Outcome]):
    """One attempt; a subclass says what is made, and adds what it knows about failures."""

    what: ClassVar[str]

    def __init__(
        self,
        claim: Claim,
        ledger: Ledger[Claim, Outcome],
        settings: Settings,
        notifier: Notifier,
        *,
        draining: Callable[[], bool],
    ) -> None:
        self._claim = claim
        self._ledger = ledger
        self._settings = settings
        self._notifier = notifier
        self._draining = draining
        self._deadline = time.monotonic() + settings.max_runtime_seconds
        self._log = structlog.get_logger(self.what).bind(about=claim.job_id, attempt=claim.attempt)

    @abstractmethod
    def _make(self, lease: Lease) -> Outcome:
        """What was asked for; calls `_heed` now and then."""

    def _failure(self, error: Exception) -> Failure | None:
        """What this kind of attempt says of an error, where that is more than the error's own words."""
        return None

    def _discard(self, outcome: Outcome) -> None:
        """Remove what was made when the store will not know of it."""

    def run(self) -> None:
        """Bring the attempt to an end that the store knows of, or lose it to another one."""
        self._log.info("claimed")
        self._notifier.notify(self._claim.job_id)
        try:
            lease = Lease(self._claim, seconds=self._settings.lease_seconds)
            ends = Ends(lambda failure: self._ledger.fail(self._claim, failure))
            renew = lambda: self._ledger.renew(self._claim)  # noqa: E731 - a name for what the watchdog calls
            with Watchdog(lease, renew, ends, self._settings, deadline=self._deadline):
                self._close(lease, self._outcome(lease))
        except LeaseLost:
            self._log.warning("lease_lost")
        self._notifier.notify(self._claim.job_id)

    def _outcome(self, lease: Lease) -> Outcome | Failure | Drained:
        try:
            return self._make(lease)
        except Drained as wish:
            return wish
        except LeaseLost:
            raise
        except (StoreUnavailable, StorageFull) as error:
            self._log.warning("store_unavailable", error=str(error))
            raise LeaseLost(self._claim.job_id, self._claim.attempt) from error
        except (EngineError, WorkerError) as error:
            return self._failure(error) or Failure(error.code, str(error))
        except TimeoutError as error:
            return self._failure(error) or Failure("timeout", str(error))
        except MemoryError:
            return Failure("out_of_memory", f"the worker does not have the memory that this {self.what} needs")
        except ValidationError as error:
            message = f"this version does not understand what was stored: {error.errors()[0]['msg']}"
            return Failure("invalid_spec", message)
        except Exception:  # the task's boundary: one attempt's surprise must not be met five times over
            self._log.exception("crashed")
            return Failure("internal_error", f"the {self.what} ended unexpectedly; the worker's log says more")

    def _heed(self, lease: Lease) -> None:
        lease.check()
        lease.progressed()
        if self._draining():
            raise Drained
        if time.monotonic() > self._deadline:
            seconds = self._settings.max_runtime_seconds
            raise TimeoutError(f"the {self.what} has run for longer than the {seconds:g} s allowed")

    def _close(self, lease: Lease, outcome: Outcome | Failure | Drained) -> None:
        """Store the outcome, as often as it takes while the lease holds."""
        stored = False
        try:
            while not stored:
                lease.check()
                try:
                    self._finish(outcome)
                    stored = True
                except (StoreUnavailable, StorageFull) as error:
                    self._log.warning("outcome_not_stored", error=str(error))
                    time.sleep(RETRY_SECONDS)
        finally:
            if not stored and not isinstance(outcome, Failure | Drained):
                self._discard(outcome)

    def _finish(self, outcome: Outcome | Failure | Drained) -> None:
        if isinstance(outcome, Failure):
            self._ledger.fail(self._claim, outcome)
            self._log.info("ended", state="failed", code=outcome.code)
        elif isinstance(outcome, Drained):
            self._ledger.release(self._claim)
            self._log.info("released")
        else:
            self._ledger.succeed(self._claim, outcome)
            self._log.info("ended", state="succeeded")
