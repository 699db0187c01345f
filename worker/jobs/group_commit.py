"""Group commit of new jobs: those that are asked for while others are written go together into the next transaction.

What a transaction costs is mostly its way to the disk, so that a hundred clients are not much slower than one.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Self

from engine import JobSpec
from worker.domain.idempotency import KeyedRequest
from worker.domain.jobs import Job
from worker.errors import StorageFull
from worker.jobs.submission import Known, Submission
from worker.queue.publisher import Publisher
from worker.settings import Settings
from worker.storage.artifacts import Artifacts
from worker.store import Draft, NewJob, Store

MOST = 64  # in one transaction: the first of them should not wait for long
COMMIT_DELAY = 0.003
"""Seconds that a transaction waits for as many as went into the one before: clients that were answered ask again."""

READERS = 4
"""Threads that look through data which no job has asked for before: what needs none does not wait behind it."""


@dataclass(eq=False)
class Wanted:
    """A job that somebody waits for: a spec, or a draft once it is checked, and what becomes of it."""

    submission: Submission
    spec: JobSpec
    draft: Draft | None
    keyed: KeyedRequest | None
    outcome: Future[Job] = field(default_factory=Future)

    @property
    def is_awaited(self) -> bool:
        """Whether anybody still waits; from the first time on nobody can leave any more."""
        return self.outcome.running() or self.outcome.set_running_or_notify_cancel()


class GroupCommit:
    """Makes jobs of specs and drafts, in a thread of its own."""

    def __init__(self, settings: Settings, store: Store, artifacts: Artifacts, publisher: Publisher) -> None:
        self._settings = settings
        self._store = store
        self._artifacts = artifacts
        self._publisher = publisher
        self._queue: SimpleQueue[Wanted | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="group-commit", daemon=True)
        self._readers = ThreadPoolExecutor(READERS, "submission")

    def start(self) -> Self:
        """Begin to write; what was asked for before goes first."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop, once all that was asked for is answered."""
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def submit(self, submission: Submission, spec: JobSpec, keyed: KeyedRequest | None) -> Future[Job]:
        """The job of a spec, or what is raised instead of one; returns at once."""
        return self._want(Wanted(submission, spec, None, keyed))

    def create(self, submission: Submission, spec: JobSpec, draft: Draft, keyed: KeyedRequest | None) -> Future[Job]:
        """The same of a spec whose draft is checked already."""
        return self._want(Wanted(submission, spec, draft, keyed))

    def _want(self, wanted: Wanted) -> Future[Job]:
        self._queue.put(wanted)
        return wanted.outcome

    def _run(self) -> None:
        self._answer_until_closed()
        self._readers.shutdown()  # what was being looked through is in the queue then
        self._queue.put(None)
        self._answer_until_closed()

    def _answer_until_closed(self) -> None:
        before = 1
        while (first := self._queue.get()) is not None:
            together = self._gather(first, before)
            before = len(together)
            self._answer([wanted for wanted in together if wanted.is_awaited])

    def _gather(self, first: Wanted, before: int) -> list[Wanted]:
        """Those that go together: what has come, and, where several did the last time, who is about to come again."""
        together, until = [first], monotonic() + COMMIT_DELAY
        while len(together) < MOST:
            left = until - monotonic() if len(together) < before else 0
            try:
                another = self._queue.get(timeout=left) if left > 0 else self._queue.get_nowait()
            except Empty:
                break
            if another is None:
                self._queue.put(None)  # once more, for the loop to end
                break
            together.append(another)
        return together

    def _answer(self, together: Sequence[Wanted]) -> None:
        """Make jobs of those that are drafted, or can be at once."""
        known = cache(lambda submission: cache(submission.known))  # they came at one time: a name means the same in all
        drafted: list[tuple[Wanted, Draft]] = []
        for wanted in together:
            draft = wanted.draft or self._draft_at_once(wanted, known(wanted.submission))
            if draft is not None:
                drafted.append((wanted, draft))
        try:
            self._write(drafted)
        except Exception as error:  # a fault of ours is raised where it is waited for, and the thread goes on
            for wanted, _ in drafted:
                if not wanted.outcome.done():
                    wanted.outcome.set_exception(error)

    def _draft_at_once(self, wanted: Wanted, known: Known) -> Draft | None:
        """The draft; None where it is refused, or comes later, as data has to be read for it."""
        submission, spec = wanted.submission, wanted.spec
        try:
            if submission.is_familiar(spec, known):
                return submission.draft(spec, known)
            self._readers.submit(self._look_through, wanted)
        except Exception as error:  # as above
            wanted.outcome.set_exception(error)
        return None

    def _look_through(self, wanted: Wanted) -> None:
        """Check a spec whose data has to be read for that; then it goes with the next transaction."""
        try:
            wanted.draft = wanted.submission.draft(wanted.spec)
        except Exception as error:  # as above
            wanted.outcome.set_exception(error)
        else:
            self._queue.put(wanted)

    def _write(self, drafted: Sequence[tuple[Wanted, Draft]]) -> None:
        if not drafted:
            return
        try:
            self._artifacts.refuse_if_full(self._settings.disk_reserve_bytes)
            outcomes = self._store.new_jobs.create(
                [NewJob(draft, wanted.submission.principal, wanted.keyed) for wanted, draft in drafted],
                max_queued=self._settings.max_queued,
            )
        except StorageFull as error:
            outcomes = [error] * len(drafted)
        for (wanted, _), outcome in zip(drafted, outcomes, strict=True):
            if isinstance(outcome, Job):
                self._publisher.publish(outcome.id, outcome.queue)
                wanted.outcome.set_result(outcome)
            else:
                wanted.outcome.set_exception(outcome)
