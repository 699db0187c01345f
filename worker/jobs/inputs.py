"""What a job reads: its datasets, and parameters to begin with. Jobs outlive the datasets that they learned from."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine import Checkpoint, Dataset, JobSpec, PreparedData, Source, prepare
from engine.data import Preprocessor
from worker.datasets.library import DatasetLibrary
from worker.errors import InputGone
from worker.parameters.library import ParameterLibrary
from worker.settings import Settings
from worker.storage.artifacts import Artifacts
from worker.store import TenantStore
from worker.store.checkpoints import MODEL


class JobInputs:
    """The inputs of one job, as its submission has pinned them."""

    def __init__(
        self, job_id: str, spec: JobSpec, settings: Settings, store: TenantStore, artifacts: Artifacts
    ) -> None:
        self._spec = spec
        self._settings = settings
        self._store = store
        self._artifacts = artifacts
        self.library = DatasetLibrary(store, artifacts, settings)
        self._pinned = store.jobs.inputs(job_id)

    @property
    def dataset_ids(self) -> Mapping[str, str]:
        """By the spec's own references."""
        return self._pinned["dataset"]

    def datasets(self) -> dict[str, Dataset]:
        """The datasets by the spec's own references."""
        return {reference: self.library.load(ident) for reference, ident in self.dataset_ids.items()}

    def prepared(self, datasets: Mapping[str, Dataset], source: Preprocessor | None = None) -> PreparedData:
        """What the training runs on, held as memory allows; with the scales of a source where there is one."""
        spec, memory = self._spec, self._settings.max_data_bytes
        return prepare(
            spec.data, datasets, loss=spec.loss.type, dtype=spec.precision, memory_bytes=memory, source=source
        )

    def given(self) -> Mapping[str, NDArray[np.generic]] | None:
        """Uploaded parameters; None where the initializer draws them."""
        for ident in self._pinned["parameters"].values():
            return ParameterLibrary(self._store, self._artifacts, self._settings).load(ident)
        return None

    def source(self) -> Source | None:
        """The job that is started from, as it was pinned; None where the spec names none."""
        for place in self._pinned["checkpoint"].values():
            return source_at(self._store, self._artifacts, place, self._spec)
        return None


def source_at(store: TenantStore, artifacts: Artifacts, place: str, spec: JobSpec) -> Source:
    """What a job has learned by a checkpoint, at `job_…/3`, or by its end, at `job_…/model`."""
    job_id, which = place.rsplit("/", 1)
    if which == MODEL:
        model = store.measurements.model(job_id)
        return Source.of_model(artifacts.verified(model.file, model.sha256))
    saved = store.checkpoints.get(job_id, int(which))
    checkpoint = Checkpoint.load(artifacts.verified(saved.file, saved.sha256))
    return Source.of_checkpoint(checkpoint, best=spec.start_from is not None and spec.start_from.checkpoint == "best")


def refuse_if_gone(store: TenantStore, job_id: str) -> None:
    """Raise `InputGone` if a dataset of the job was deleted since."""
    for reference, dataset_id in store.jobs.inputs(job_id)["dataset"].items():
        if store.datasets.stored(dataset_id) is None:
            raise InputGone(job_id, "dataset", reference)
