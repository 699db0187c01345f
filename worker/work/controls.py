"""The controls of a training: what somebody wants of a run, told to it one thing at a time."""

import time
from collections import deque

import structlog

import engine
from engine import Change, JobSpec, Save, Stop
from worker.domain.jobs import CheckpointKind
from worker.errors import StoreError
from worker.work.attempt import RETRY_SECONDS
from worker.work.context import Context
from worker.work.endings import Drained

DRAIN_SECONDS = 5.0  # to come to the next batch and save; then the job is handed back as it was last saved


class Controls:
    """Pause, stop, drain and revisions, and the moments of periodic checkpoints."""

    def __init__(self, context: Context) -> None:
        self.saving: CheckpointKind | None = None  # asked for, and not made yet
        self.unsaved = False  # the last checkpoint could not be written
        self.drained_at: float | None = None
        self._context = context
        self._revision = 0  # the newest that the run knows of
        self._changes: deque[Change] = deque()  # known, and not told to the run yet
        self._saved_at = time.monotonic()
        self._stopping = False
        self._log = structlog.get_logger("controls").bind(job_id=context.claim.item_id)

    def begin(self, revision: int) -> list[Change]:
        """Start from a checkpoint's revision; what was changed since, each with the epoch that it began with."""
        self._revision = revision
        return self._read_changes()

    def note_saved(self) -> None:
        """A checkpoint has just been tried: the next periodic one is due after a while."""
        self._saved_at = time.monotonic()

    def next(self) -> engine.Control | None:
        """What the run is to do."""
        lease = self._context.lease
        if lease.revision > self._revision:
            try:
                self._changes.extend(self._read_changes())
                self._revision = max(self._revision, lease.revision)
            except StoreError as error:  # asked again after the next event
                self._log.warning("changes_not_read", error=str(error))
        if lease.control == "stop" and not self._stopping:
            self._stopping = True
            return Stop("stopped_by_user")
        since = time.monotonic() - self._saved_at
        resting = lease.control == "pause" or self.drained_at is not None
        if resting and self.saving != "control" and (not self.unsaved or since > RETRY_SECONDS):
            self.saving = "control"
            return Save()
        if self._changes:
            return self._changes.popleft()
        if self.saving is None and since > self._context.settings.checkpoint_seconds:
            self.saving = "periodic"
            return Save()
        return None

    def heed(self, *, preparing: bool) -> None:
        """As `Context.heed`, but a run that drains may come to its next batch and save."""
        self._context.check()
        if self._context.is_draining():
            self.drained_at = self.drained_at or time.monotonic()
            if preparing or time.monotonic() - self.drained_at > DRAIN_SECONDS:
                raise Drained

    def _read_changes(self) -> list[Change]:
        found = self._context.store.revisions.after(self._context.claim.item_id, self._revision)
        self._revision = max([self._revision, *(revision.number for revision in found)])
        return [Change(one.number, JobSpec.model_validate(one.spec), one.effective_epoch) for one in found]
