"""Making a claimed batch prediction: the model's answers to a dataset, some rows at a time, into a file."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from engine import load
from engine.answer_columns import Columns, answer_columns
from engine.answer_files import write_answers
from engine.table_answers import answers_of
from worker.datasets.library import DatasetLibrary
from worker.domain.batch_predictions import BatchClaim, BatchResult
from worker.errors import StorageFull, StoreUnavailable, WorkerError
from worker.queue.notifier import Notifier
from worker.settings import Settings
from worker.storage.artifacts import Artifacts, room
from worker.store import Store
from worker.work.attempt import Attempt
from worker.work.lease import Lease

PROGRESS_SECONDS = 0.5


class BatchExecution(Attempt[BatchClaim, BatchResult]):
    """One attempt at one batch prediction."""

    what = "batch prediction"

    def __init__(
        self,
        claim: BatchClaim,
        settings: Settings,
        store: Store,
        artifacts: Artifacts,
        notifier: Notifier,
        *,
        draining: Callable[[], bool],
    ) -> None:
        super().__init__(claim, store.batch_predictions, settings, notifier, draining=draining)
        self._store = store
        self._artifacts = artifacts
        self._datasets = DatasetLibrary(store, artifacts, settings)

    def _make(self, lease: Lease) -> BatchResult:
        batch = self._claim.batch
        file = f"predictions/{batch.id}-{batch.attempt}.{batch.format}"
        with self._artifacts.unfinished() as path:
            with room():
                write_answers(path, batch.format, self._columns(lease))
            size = path.stat().st_size
            self._heed(lease)
            return BatchResult(file, self._artifacts.keep(path, file), size)

    def _columns(self, lease: Lease) -> Iterator[Columns]:
        """The answers in blocks, and now and then a word about how far they are."""
        batch = self._claim.batch
        version = self._store.models.version(batch.name, batch.version)
        model = load(self._artifacts.verified(version.file, version.sha256))
        table = self._datasets.load(batch.dataset_id).pooled
        done, told = 0, time.monotonic()
        for answers in answers_of(model, table):
            self._heed(lease)
            yield answer_columns(model, answers)
            done += len(answers)
            if time.monotonic() - told > PROGRESS_SECONDS:
                with suppress(StoreUnavailable, StorageFull):  # the watchdog renews as well, and knows when it is over
                    self._store.batch_predictions.renew(self._claim, done)
                    self._notifier.notify(batch.id)
                told = time.monotonic()

    def _discard(self, outcome: BatchResult) -> None:
        """Remove the file, unless the store knows of it after all; if nobody can say, it stays."""
        try:
            known = self._store.batch_predictions.get(self._claim.batch.id).file == outcome.file
        except (StoreUnavailable, StorageFull):
            return
        except WorkerError:  # deleted
            known = False
        if not known:
            self._artifacts.discard(outcome.file)
