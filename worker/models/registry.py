"""The model registry: what a job made gets a name, a number and a file that outlives the job."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import JsonValue

from engine import Checkpoint, DataError, Dataset, JobSpec, Model, Network, load
from engine.export import artifact as exported
from engine.kept_columns import check_kept, identifying_columns
from engine.serving import Serving, refusal_of_threshold
from engine.table_answers import check_columns, unknown_columns
from worker.domain.ids import is_id
from worker.domain.jobs import Job
from worker.domain.models import ModelVersion, Registration
from worker.domain.names import checked, possible
from worker.errors import UnknownCheckpoint, UnknownJob, UnknownModel
from worker.models.card import card_of
from worker.settings import Settings
from worker.storage.artifacts import Artifacts, room
from worker.store import SavedModel, TenantStore
from worker.store.models import Registering

ModelFormat = Literal["safetensors", "npz", "onnx"]


class BatchOptions(NamedTuple):
    """What a batch prediction keeps of its dataset, and its decision threshold."""

    keep: tuple[str, ...]
    threshold: float | None


class ModelRegistry:
    """Rows in the store and files among the artifacts: a version's file is there as long as its row."""

    def __init__(self, store: TenantStore, artifacts: Artifacts, settings: Settings) -> None:
        self._store = store
        self._artifacts = artifacts
        self._settings = settings

    def register(
        self, name: str, job_id: str, checkpoint: int | None = None, serving: Mapping[str, JsonValue] | None = None
    ) -> tuple[ModelVersion, bool]:
        """Make what a job made the next version of the name; whether it is new, or was registered there before.

        `serving` overrides what the job's spec says of how the version answers. Raises InvalidName; UnknownJob,
        NoModel, UnknownCheckpoint where the job has nothing to register; DataError for a threshold that is for other
        models.
        """
        checked(name)
        try:
            job = self._store.jobs.get(job_id if is_id("job", job_id) else "")
        except UnknownJob as error:
            raise UnknownJob(job_id, pointer="/job") from error
        if checkpoint is not None:
            return self._register_checkpoint(name, job, checkpoint, serving)
        saved = self._store.measurements.model(job.id)
        return self._store.models.register(self.registering(name, job, saved, job.result, serving))

    def registering(
        self,
        name: str,
        job: Job,
        saved: SavedModel,
        result: Mapping[str, JsonValue] | None,
        serving: Mapping[str, JsonValue] | None = None,
    ) -> Registering:
        """A version to be, of the model that a job has saved; nothing is stored yet."""
        path = self._artifacts.verified(saved.file, saved.sha256)
        registration = self._registration(name, job, load(path), path.stat().st_size, saved.sha256, result, serving)
        return Registering(registration, partial(self._artifacts.link, path, registration.file))

    def _register_checkpoint(
        self, name: str, job: Job, number: int, serving: Mapping[str, JsonValue] | None
    ) -> tuple[ModelVersion, bool]:
        """A checkpoint has no file of a model: it is made here."""
        try:
            saved = self._store.checkpoints.get(job.id, number)
        except UnknownCheckpoint as error:
            raise UnknownCheckpoint(job.id, number, error.kept, pointer="/checkpoint") from error
        checkpoint = Checkpoint.load(self._artifacts.verified(saved.file, saved.sha256))
        preprocessor = checkpoint.preprocessor
        network = Network.of(checkpoint.spec, preprocessor)
        parameters = network.parameters(checkpoint.spec.precision)
        parameters.load(checkpoint.parameters)
        model = Model(checkpoint.spec, preprocessor, parameters, network)
        with self._artifacts.unfinished() as path:
            with room():
                model.save(path)
            sha256 = self._artifacts.sha256(path)
            made = self._registration(name, job, model, path.stat().st_size, sha256, None, serving)
            registration = replace(made, checkpoint=number, metrics=saved.metrics)
            keep = partial(self._artifacts.link, path, registration.file)
            return self._store.models.register(Registering(registration, keep))

    def change_serving(self, name: str, version: int, change: Mapping[str, JsonValue]) -> ModelVersion:
        """Have a version answer in another way; raises DataError for a threshold that it cannot have."""
        found = self._store.models.version(name, version)
        serving = Serving(strict=found.strict, threshold=found.threshold)
        return self._store.models.change_serving(name, version, _served(load(self.path(found)), serving, change))

    def _registration(
        self,
        name: str,
        job: Job,
        model: Model,
        size: int,
        sha256: str,
        result: Mapping[str, JsonValue] | None,
        serving: Mapping[str, JsonValue] | None,
    ) -> Registration:
        served = _served(model, JobSpec.model_validate(job.spec).serving, serving or {})
        return Registration(
            name=name,
            job_id=job.id,
            checkpoint=None,
            file=f"models/{sha256}.safetensors",
            sha256=sha256,
            weights_sha256=model.weights_sha256,
            bytes=size,
            spec=model.spec.model_dump(mode="json"),
            data_hash=job.data_hash,
            datasets=self._store.jobs.inputs(job.id)["dataset"],
            metrics=result,
            environment=job.environment,
            card=self._card(name, job, model, result),
            strict=served.strict,
            threshold=served.threshold,
        )

    def path(self, version: ModelVersion) -> Path:
        """Where the version's file lies; raises ArtifactDamaged when it is not what was stored."""
        return self._artifacts.verified(version.file, version.sha256)

    @contextmanager
    def artifact(self, version: ModelVersion, form: ModelFormat) -> Iterator[tuple[Path, str]]:
        """The version's file and its SHA-256; in another format it is made, and gone at the end of the block."""
        path = self.path(version)
        if form == "safetensors":
            yield path, version.sha256
            return
        with self._artifacts.unfinished() as made:
            with room():
                exported(load(path), form, made)
            yield made, self._artifacts.sha256(made)

    def fitted(
        self, version: ModelVersion, dataset: Dataset, keep: Sequence[str] | None, threshold: float | None
    ) -> BatchOptions:
        """What the prediction of a dataset keeps of it, and its threshold, where nobody says; raises DataError.

        Nothing is said where the dataset fits: it has every array that the version predicts from, and the columns that
        are to be kept.
        """
        model, table = load(self.path(version)), dataset.pooled
        with _pointing("/dataset"):
            check_columns(model, dataset.training)
        with _pointing("/keep"):
            check_kept(model, table, keep or ())
        keep = identifying_columns(model, table) if keep is None else tuple(keep)
        if version.strict and (others := [name for name in unknown_columns(model, table) if name not in keep]):
            raise DataError(
                f"the model does not know the columns {', '.join(map(repr, others))}, and version {version.version} "
                "of it is strict: leave them out, or keep them",
                pointer="/dataset",
            )
        threshold = _served(
            model, Serving(threshold=version.threshold), {} if threshold is None else {"threshold": threshold}
        ).threshold
        return BatchOptions(keep, threshold)

    def delete(self, name: str, version: int) -> None:
        """Forget a version; `VersionInUse` while an alias means it or predictions are made with it."""
        self._store.models.delete_version(name, version, self._artifacts.discard)

    def _card(
        self, name: str, job: Job, model: Model, result: Mapping[str, JsonValue] | None
    ) -> Mapping[str, JsonValue]:
        inputs = self._store.jobs.inputs(job.id)["dataset"]
        records = {reference: self._store.datasets.find(ident) for reference, ident in inputs.items()}
        checks = self._store.gradient_checks.page(job.id, after=-1, limit=100).data
        warnings = self._store.measurements.warnings(job.id)
        reports = [check.report for check in checks if check.report is not None]
        spec = JobSpec.model_validate(job.spec)
        return card_of(name, job, spec, model, result, records, reports, warnings)


@contextmanager
def _pointing(pointer: str) -> Iterator[None]:
    """Say of a DataError where in the request its cause stands."""
    try:
        yield
    except DataError as error:
        raise DataError(error.detail, pointer=pointer) from error


def _served(model: Model, serving: Serving, change: Mapping[str, JsonValue]) -> Serving:
    """How a model answers after a change; raises DataError for a threshold that it cannot have."""
    changed = serving.model_copy(update=change)
    target = model.network.target
    if changed.threshold is not None and (why := refusal_of_threshold(target.kind, len(target.labels))) is not None:
        raise DataError(f"a threshold {why}", pointer="/threshold")
    return changed


def known_name(name: str) -> str:
    """The name, if a model can have it; `UnknownModel` before the database is asked for one that none can have."""
    if not possible(name):
        raise UnknownModel(name)
    return name
