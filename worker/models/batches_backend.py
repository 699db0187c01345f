"""The backend's batch predictions: a whole dataset, predicted by a worker into a file."""

from collections.abc import Sequence
from pathlib import Path

from engine.answer_files import AnswerFormat
from worker.datasets.library import DatasetLibrary
from worker.domain.batch_predictions import BatchPrediction
from worker.domain.idempotency import KeyedRequest
from worker.domain.ids import is_id, new_id
from worker.domain.paging import Page, Pages, page_after
from worker.errors import (
    NoResult,
    UnknownBatch,
)
from worker.models.models_backend import ModelsBackend
from worker.models.registry import ModelRegistry
from worker.queue.publisher import Publisher
from worker.settings import Settings
from worker.storage.artifacts import Artifacts
from worker.store import TenantStore
from worker.store.batch_predictions import QUEUE as BATCH_QUEUE


class BatchesBackend:
    """What may be asked about batch predictions; thread-safe."""

    def __init__(
        self,
        settings: Settings,
        store: TenantStore,
        artifacts: Artifacts,
        registry: ModelRegistry,
        datasets: DatasetLibrary,
        models: ModelsBackend,
        publisher: Publisher,
    ) -> None:
        self._settings = settings
        self._pages = Pages(settings.max_page)
        self._store = store
        self._artifacts = artifacts
        self._registry = registry
        self._library = datasets
        self._models = models
        self._publisher = publisher

    def create(
        self,
        name: str,
        reference: int | str | None,
        dataset: str,
        form: AnswerFormat,
        *,
        keep: Sequence[str] | None = None,
        threshold: float | None = None,
        keyed: KeyedRequest | None = None,
    ) -> BatchPrediction:
        """Queue the prediction of a whole dataset with the version that is meant.

        `keep` are columns of the dataset that go into the result; None takes those that tell its rows apart. Without a
        threshold the version's decides. Raises UnknownModel, UnknownVersion, UnknownAlias; UnknownDataset, DataError
        where the dataset does not fit.
        """
        version = self._models.version(name, reference)
        record = self._library.find(dataset, pointer="/dataset")
        options = self._registry.fitted(version, self._library.open(record.id), keep, threshold)
        limit = self._settings.max_queued
        batch = self._store.batch_predictions.create(
            new_id("bp"), version, record, dataset, form, **options._asdict(), max_queued=limit, keyed=keyed
        )
        self._publisher.publish(batch.id, BATCH_QUEUE)
        return batch

    def get(self, name: str, batch_id: str) -> BatchPrediction:
        """The batch prediction as it is now; raises UnknownBatch."""
        if not is_id("bp", batch_id):
            raise UnknownBatch(batch_id)
        batch = self._store.batch_predictions.get(batch_id)
        if batch.name != name:
            raise UnknownBatch(batch_id)
        return batch

    def page(self, name: str, *, limit: int = 20, after: str | None = None) -> Page[BatchPrediction]:
        """Those of a model older than `after`, newest first."""
        page = self._store.batch_predictions.page(name, limit=self._pages.limit(limit), after=page_after("bp", after))
        if not page.data and after is None:
            self._models.get(name)  # whose predictions may outlive it
        return page

    def result(self, batch: BatchPrediction) -> Path:
        """Where the result lies; raises NoResult, ArtifactDamaged."""
        if batch.file is None or batch.sha256 is None:
            raise NoResult(batch.id, batch.state)
        return self._artifacts.verified(batch.file, batch.sha256)

    def delete(self, name: str, batch_id: str) -> None:
        """Forget a batch prediction and its result; one that is being made is given up."""
        file = self._store.batch_predictions.delete(self.get(name, batch_id).id)
        if file is not None:
            self._artifacts.discard(file)
