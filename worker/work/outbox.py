"""The outbox of a training: what has happened and is not stored yet, sent in numbered batches."""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog
from pydantic import JsonValue

from worker.domain.jobs import Progress, Stage
from worker.domain.measurements import LayersMeasured, MetricsRow
from worker.errors import StoreError
from worker.store import NewEvent
from worker.work.context import Context

BATCH_SECONDS = 0.25  # an epoch may last a millisecond, a commit must not
LOOK_SECONDS = 1.0  # how often somebody's wishes are looked for when there is nothing to write


@dataclass
class Batch:
    """What is written in one transaction."""

    number: int = 1
    rows: list[MetricsRow] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)  # the monotonic time of each row's end
    events: list[NewEvent] = field(default_factory=list)
    reports: list[Mapping[str, JsonValue]] = field(default_factory=list)
    layers: list[LayersMeasured] = field(default_factory=list)
    warnings: int = 0
    stage: Stage = "preparing"
    epoch: int = 0
    epochs: int = 0
    progress: Progress | None = None
    since: float = field(default_factory=time.monotonic)

    @property
    def holds_something(self) -> bool:
        """Whether there is anything that would be lost with it."""
        return bool(self.rows or self.events or self.reports or self.layers)

    @property
    def due(self) -> bool:
        """Whether it is time to store it."""
        return time.monotonic() - self.since > (BATCH_SECONDS if self.holds_something else LOOK_SECONDS)


class Outbox:
    """Gathers into `batch`; what was sent and may not be stored is sent again, as it was."""

    def __init__(self, context: Context, epochs: int) -> None:
        self.batch = Batch()
        self._context = context
        self._epochs = epochs
        self._unstored: deque[Batch] = deque()  # sent, and not known to be stored
        self._applied: deque[tuple[int, int, int | None]] = deque()  # revision, epoch and checkpoint, not stored yet
        self._log = structlog.get_logger("outbox").bind(job_id=context.claim.item_id, attempt=context.claim.attempt)

    def tell(self, event: NewEvent) -> None:
        """Have an event stored with the next batch."""
        self.batch.events.append(event)

    def apply(self, revision: int, epoch: int, checkpoint: int | None) -> None:
        """Have it stored that a revision is in force."""
        self._applied.append((revision, epoch, checkpoint))

    def flush(self) -> bool:
        """Write what has gathered, and say if all of it is written.

        A batch that was sent once is never added to: if only its answer was lost, the store takes nothing of it again.
        """
        batch = self.batch
        if batch.holds_something or not self._unstored:
            self._unstored.append(batch)
            self.batch = Batch(batch.number + 1, stage=batch.stage, epoch=batch.epoch)
        try:
            while self._unstored:
                self._send(self._unstored[0])
                self._unstored.popleft()
            while self._applied:
                self._context.store.training_log.note_applied(self._context.claim, *self._applied[0])
                self._applied.popleft()
        except StoreError as error:
            self._log.warning("batch_not_stored", batches=len(self._unstored), error=str(error))
            self.batch.since = time.monotonic()
            return False
        return True

    def _send(self, batch: Batch) -> None:
        signals = self._context.store.training_log.record(
            self._context.claim,
            batch.number,
            rows=batch.rows,
            ended=batch.ended,
            layers=batch.layers,
            events=batch.events,
            reports=batch.reports,
            stage=batch.stage,
            epoch=batch.epoch,
            epochs=batch.epochs or self._epochs,
            warnings=batch.warnings,
            progress=batch.progress,
        )
        self._context.lease.note_renewal(signals)
        if batch.events or batch.rows:
            self._context.notify()
