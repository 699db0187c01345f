"""The backend: everything that the service may ask of the worker package, in one object."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import takewhile
from pathlib import Path
from sqlite3 import sqlite_version
from threading import Event as Flag
from time import monotonic
from types import TracebackType
from typing import Self

import structlog
from pydantic import JsonValue

from engine import DataError, EngineError, GradientCheckSpec, JobSpec, Model, Table
from engine.answer_files import AnswerFormat
from engine.data.augmentation.augmentations import AnyAugmentation
from engine.data.checks import DataReport
from engine.data.splits import AnySplit
from engine.diagnosis import Diagnosis, diagnose
from engine.foreign_weights import Origin
from engine.smoothing import with_smoothed_costs
from engine.table_answers import check_columns
from worker.datasets.data_checks import DataChecks
from worker.datasets.library import DatasetLibrary
from worker.domain.batch_predictions import BatchPrediction
from worker.domain.gradient_checks import GradientCheck, refuse_unless_kept
from worker.domain.idempotency import Answer, KeyedRequest, KeyLease
from worker.domain.ids import Prefix, is_id, new_id
from worker.domain.jobs import Checkpoint, Edition, Job
from worker.domain.models import Alias, AliasChange, ModelVersion, RegisteredModel
from worker.domain.names import checked_alias
from worker.domain.records import (
    Condition,
    DatasetRecord,
    DatasetUsage,
    DatedRow,
    Event,
    LayersMeasured,
    ModelRecord,
    Page,
    ParameterSet,
    WorkerRecord,
)
from worker.domain.work_items import Status
from worker.errors import (
    InvalidPage,
    NoModel,
    NoResult,
    StorageFull,
    StoreUnavailable,
    UnknownBatch,
    UnknownJob,
    WorkerError,
)
from worker.jobs.comparison import MOST_JOBS, Comparison, compare
from worker.jobs.hyperparameters import Hyperparameters, Steering
from worker.jobs.inputs import refuse_if_gone
from worker.jobs.submission import Outline, Submission
from worker.maintenance.sweeper import Sweeper
from worker.models.drift import Drift, drift_of
from worker.models.parameter_sets import ParameterLibrary
from worker.models.registry import ModelFormat, ModelRegistry, known_name
from worker.queue.broker import find_broker
from worker.queue.celery_app import make_app
from worker.queue.notifier import Notifier
from worker.queue.publisher import Publisher
from worker.queue.redis_address import RedisAddress
from worker.settings import Settings
from worker.storage.artifacts import Artifacts
from worker.storage.uploads import Upload, receive
from worker.store import LEAST_POINTS, Draft, Store, open_store
from worker.store.batch_predictions import QUEUE as BATCH_QUEUE

MARKS = (
    *(f"{control}_requested" for control in ("pause", "resume", "stop", "cancel")),
    *("hyperparameters_requested", "hyperparameters_changed", "change_refused"),
    *("checkpoint", "resumed", "went_back", "error"),
)
"""Types of the events that a timeline shows beside the states."""


def open_backend(settings: Settings, broker: RedisAddress | None = None) -> "Backend":
    """The backend that the settings name; by default over the Redis that they name, or that of the stack on the folder."""
    return Backend(settings, broker or find_broker(settings), open_store(settings))


class Backend:
    """Jobs, datasets, parameter sets and workers; thread-safe, a context manager that closes itself."""

    def __init__(self, settings: Settings, broker: RedisAddress, store: Store) -> None:
        self.settings = settings
        self.broker = broker
        self._store = store
        self._artifacts = Artifacts(settings.data_dir)
        self._artifacts.sweep()
        self._datasets = DatasetLibrary(store, self._artifacts, settings)
        self._parameters = ParameterLibrary(store, self._artifacts, settings)
        self._registry = ModelRegistry(store, self._artifacts, settings)
        self._data_checks = DataChecks(store, self._datasets)
        self._submission = Submission(store, self._datasets, self._parameters, settings)
        self._steering = Steering(store, self._submission)
        self._notifier = Notifier(broker)
        self._publisher = Publisher(make_app(settings, broker), store)
        self._sweeper = Sweeper(settings, store, self._publisher, self._notifier)
        structlog.get_logger("backend").info(
            "backend_opened", sql=store.database.kind, sqlite=sqlite_version, redis=str(broker)
        )

    # jobs

    def outline(self, spec: JobSpec) -> Outline:
        """What `submit` would queue; raises what it would raise, and stores nothing."""
        return self._submission.outline(spec)

    def submit(self, spec: JobSpec, keyed: KeyedRequest | None = None) -> Job:
        """Queue a training job.

        Raises SpecError, ResourceLimit, UnknownDataset, UnknownParameters, UnknownCheckpoint,
        QueueFull, StorageFull.
        """
        return self._create(self._submission.draft(spec), keyed)

    def submit_all(self, specs: Sequence[JobSpec]) -> list[Job | EngineError | WorkerError | None]:
        """Queue jobs that were asked for at one time; what `submit` would give back or raise, one by one.

        None for those that take a closer look, which `submit` takes: the others should not have to wait for it.
        """
        drafts = self._submission.drafts(specs)
        complete = [draft for draft in drafts if isinstance(draft, Draft)]
        made = iter(self._create_all(complete) if complete else ())
        return [next(made) if isinstance(draft, Draft) else draft for draft in drafts]

    def _create_all(self, drafts: Sequence[Draft]) -> list[Job | WorkerError]:
        try:
            self._artifacts.refuse_if_full(self.settings.disk_reserve_bytes)
        except StorageFull as error:
            return [error] * len(drafts)
        outcomes = self._store.jobs.create_all(drafts, max_queued=self.settings.max_queued)
        for outcome in outcomes:
            if isinstance(outcome, Job):
                self._publisher.publish(outcome.id, outcome.queue)
        return outcomes

    def rerun(self, job_id: str, keyed: KeyedRequest | None = None) -> Job:
        """Queue a job once more, with the same spec, seed, data and changes; raises InputGone."""
        return self._create(self._submission.again(self.job(job_id)), keyed)

    def _create(self, draft: Draft, keyed: KeyedRequest | None) -> Job:
        self._artifacts.refuse_if_full(self.settings.disk_reserve_bytes)
        job = self._store.jobs.create(draft, max_queued=self.settings.max_queued, keyed=keyed)
        self._publisher.publish(job.id, job.queue)
        return job

    def job(self, job_id: str) -> Job:
        """The job as it is now; raises UnknownJob."""
        return self._store.jobs.get(_job_id(job_id))

    def jobs(self, *, limit: int = 20, after: str | None = None, state: Status | None = None) -> Page[Job]:
        """Jobs older than `after`, newest first."""
        return self._store.jobs.page(limit=self._limit(limit), after=_after("job", after), state=state)

    def editions(self, *, limit: int) -> Page[Edition]:
        """The newest jobs without their contents: by these one sees which of them have changed."""
        return self._store.jobs.editions(limit=self._limit(limit))

    def several(self, job_ids: Collection[str]) -> dict[str, Job]:
        """Those of the jobs that there are, by id, without their places in the queue."""
        return self._store.jobs.several(job_ids)

    def wait(self, job_id: str, seconds: float) -> Job:
        """The job once it is done, or as it is when the time is over."""
        changed = Flag()
        deadline = monotonic() + min(seconds, self.settings.max_wait_seconds)
        with self._notifier.listen(job_id, changed.set):
            while True:
                job = self.job(job_id)  # after listening began: a change in between would not be heard
                left = deadline - monotonic()
                if job.done or left <= 0:
                    return job
                changed.wait(left)
                changed.clear()

    def cancel(self, job_id: str) -> Job:
        """End the job: at once unless it is running, else as soon as its worker hears of it.

        Raises IllegalMove when it has come to another end.
        """
        return self._told(self._store.jobs.cancel(_job_id(job_id)))

    def pause(self, job_id: str) -> Job:
        """Have the job wait: at once while it is queued, else once its worker has saved it.

        Raises IllegalMove when it is done, ControlPending when it is about to be.
        """
        return self._told(self._store.jobs.pause(_job_id(job_id)))

    def resume(self, job_id: str, checkpoint: int | None = None) -> Job:
        """Queue a paused job, from an older checkpoint if one is named; raises what `pause` does, UnknownCheckpoint."""
        job, superfluous = self._store.jobs.resume(_job_id(job_id), checkpoint)
        for file in superfluous:
            self._artifacts.discard(file)
        return self._told(job)

    def stop(self, job_id: str) -> Job:
        """End the training and keep the best model so far; raises what `pause` does, NothingToKeep."""
        return self._told(self._store.jobs.stop(_job_id(job_id)))

    def _told(self, job: Job) -> Job:
        if job.state is Status.QUEUED:
            self._publisher.publish(job.id, job.queue)
        self._notifier.notify(job.id)
        return job

    def delete_job(self, job_id: str) -> None:
        """Forget a job that is done, its measurements, checkpoints and model; raises JobInUse."""
        for file in self._store.jobs.delete(_job_id(job_id)):
            self._artifacts.discard(file)

    # requests that may be sent again

    def begin(self, key: str, route: str) -> KeyLease | Answer:
        """The right to answer a request with an Idempotency-Key, or its answer; raises KeyInFlight."""
        return self._store.idempotency_keys.begin(key, route)

    def answered(self, key_lease: KeyLease, answer: Answer) -> None:
        """Keep the answer for a day."""
        self._store.idempotency_keys.answer(key_lease, answer)

    def abandon(self, key_lease: KeyLease) -> None:
        """The request was refused: it may be corrected and sent again under the same key."""
        self._store.idempotency_keys.abandon(key_lease)

    # what a job trains with, and has come to

    def hyperparameters(self, job_id: str) -> Hyperparameters:
        """The spec that is, or soon will be, in force, and its changes so far."""
        return self._steering.hyperparameters(self.job(job_id))

    def revise(
        self,
        known: Hyperparameters,
        spec: JobSpec,
        patch: Mapping[str, JsonValue],
        *,
        note: str | None = None,
        who: str | None = None,
    ) -> Hyperparameters:
        """Change what a job trains with, from its next epoch on.

        Raises SpecError for a field that cannot change, RevisionChanged, IllegalMove.
        """
        changed = self._steering.revise(known, spec, patch, note=note, who=who)
        self._notifier.notify(changed.job.id)
        return changed

    def checkpoints(self, job_id: str) -> tuple[Checkpoint, ...]:
        """Where the job can go on, oldest first."""
        return self._store.checkpoints.page(_job_id(job_id))

    def marks(self, job_id: str) -> tuple[Event, ...]:
        """What was asked of the job and what came of it, without its measurements."""
        return self._store.measurements.marks(_job_id(job_id), MARKS, limit=self.settings.max_page)

    def compare(self, job_ids: Sequence[str]) -> Comparison:
        """Where jobs differ; raises UnknownJob, InvalidPage unless there are two to ten."""
        wanted = list(dict.fromkeys(job_ids))
        if not 2 <= len(wanted) <= MOST_JOBS:
            raise InvalidPage("jobs", f"{len(wanted)} different jobs are not between 2 and {MOST_JOBS}")
        return compare(self._store, [self.job(job_id) for job_id in wanted])

    def metrics(
        self,
        job_id: str,
        *,
        after: int | None = None,
        limit: int = 1000,
        max_points: int | None = None,
        smoothing: float | None = None,
    ) -> Page[DatedRow]:
        """Rows of the epochs behind `after`, ascending; with `max_points`, as many as keep the shape.

        With `smoothing`, the β of an exponentially weighted average, every cost has its trend beside it.
        """
        page = self._metrics(job_id, after, limit, max_points)
        if smoothing is None or not page.data:
            return page
        wanted = {row["epoch"] for row in page.data}
        last = int(page.data[-1]["epoch"] or 0)
        series = takewhile(lambda row: int(row["epoch"] or 0) <= last, self.metric_rows(job_id, smoothing=smoothing))
        return Page(tuple(row for row in series if row["epoch"] in wanted), page.has_more)

    def _metrics(self, job_id: str, after: int | None, limit: int, max_points: int | None) -> Page[DatedRow]:
        start = -1 if after is None else _number(after)
        if max_points is None:
            return self._store.measurements.page(_job_id(job_id), after=start, limit=self._limit(limit))
        if not LEAST_POINTS <= max_points <= self.settings.max_page:
            allowed = f"between {LEAST_POINTS} and {self.settings.max_page}"
            raise InvalidPage("max_points", f"{max_points} is not {allowed}")
        rows = self._store.measurements.thinned(_job_id(job_id), after=start, points=max_points)
        return Page(rows, has_more=False)

    def metric_rows(
        self, job_id: str, *, after: int | None = None, smoothing: float | None = None
    ) -> Iterator[DatedRow]:
        """Every row of the epochs behind `after`, read a few at a time; UnknownJob is raised before the first."""
        self.job(job_id)
        start = -1 if after is None else _number(after)
        if smoothing is None:
            return self._store.measurements.rows(job_id, after=start)
        series = with_smoothed_costs(self._store.measurements.rows(job_id), smoothing)  # the average is of all
        return (row for row in series if int(row["epoch"] or 0) > start)

    def events(self, job_id: str, *, after: int = 0, limit: int = 100) -> Page[Event]:
        """Events behind number `after`, ascending and without a gap."""
        return self._store.measurements.events(_job_id(job_id), after=_number(after), limit=self._limit(limit))

    def layers(self, job_id: str, *, after: int = 0, limit: int = 100) -> Page[LayersMeasured]:
        """The layers' statistics of the measured epochs behind `after`, ascending."""
        return self._store.measurements.layers(_job_id(job_id), after=_number(after), limit=self._limit(limit))

    def diagnosis(self, job_id: str) -> Diagnosis:
        """Bias, variance and what to try next; raises NoModel before the job has succeeded."""
        job = self.job(job_id)
        if job.result is None:
            raise NoModel(job_id, job.state)
        warnings = self._store.measurements.warnings(job_id)
        return diagnose(JobSpec.model_validate(job.spec), job.result, warnings)

    def check_gradients(
        self, job_id: str, wanted: GradientCheckSpec, keyed: KeyedRequest | None = None
    ) -> GradientCheck:
        """Queue a gradient check of the job, whatever its state.

        Raises MomentMissing, MomentNotKept, InputGone, QueueFull.
        """
        job = self.job(job_id)
        refuse_unless_kept(job, wanted.at)
        refuse_if_gone(self._store, job.id)
        requested = wanted.model_dump(mode="json")
        most = self.settings.max_queued
        check = self._store.gradient_checks.create(job.id, requested, max_queued=most, keyed=keyed)
        if check.item_id is not None:
            self._publisher.publish(check.item_id, job.queue)
        return check

    def gradient_check(self, job_id: str, number: int) -> GradientCheck:
        """The check as it is now; raises UnknownJob, UnknownCheck."""
        return self._store.gradient_checks.get(self.job(job_id).id, number)

    def gradient_checks(self, job_id: str, *, after: int = 0, limit: int = 100) -> Page[GradientCheck]:
        """Checks behind number `after`, ascending: those that the spec wants and those that were asked for."""
        return self._store.gradient_checks.page(_job_id(job_id), after=_number(after), limit=self._limit(limit))

    def model(self, job_id: str) -> ModelRecord:
        """The model of a job that has succeeded; raises NoModel."""
        saved = self._store.measurements.model(_job_id(job_id))
        return ModelRecord(job_id, self._artifacts.path(saved.file), saved.sha256, saved.weights_sha256)

    def model_path(self, job_id: str) -> Path:
        """Where the job's model lies; raises ArtifactDamaged when it is not what was stored."""
        saved = self._store.measurements.model(_job_id(job_id))
        return self._artifacts.verified(saved.file, saved.sha256)

    def listen(self, job_id: str, wake: Callable[[], None]) -> AbstractContextManager[None]:
        """Inside the block `wake` is called, from another thread, whenever the job may have changed."""
        return self._notifier.listen(job_id, wake)

    # uploads

    def receive(self) -> AbstractContextManager[Upload]:
        """Somewhere to write an upload to; it is gone at the end of the block. Raises StorageFull."""
        self._artifacts.refuse_if_full(self.settings.disk_reserve_bytes)
        return receive(self._artifacts, self.settings.max_upload_bytes)

    def add_dataset(
        self, name: str, media_type: str, upload: Upload, options: Mapping[str, str] | None = None
    ) -> tuple[DatasetRecord, bool]:
        """Make an upload the next version of a dataset; whether it was new, or is the newest version already.

        Raises InvalidName, NameTaken, UnsupportedMediaType, DataError, StorageFull.
        """
        return self._datasets.add(name, media_type, upload, options)

    def dataset(self, reference: str) -> DatasetRecord:
        """The dataset, or sample set, with this id or name; raises UnknownDataset."""
        return self._datasets.find(reference)

    def datasets(self, *, limit: int = 20, after: str | None = None, name: str | None = None) -> Page[DatasetRecord]:
        """Datasets older than `after`, newest first; of one name, its versions."""
        return self._datasets.page(limit=self._limit(limit), after=_after("ds", after), name=name)

    def preview(self, reference: str, *, limit: int = 10) -> Mapping[str, JsonValue]:
        """The first rows of a dataset."""
        return self._datasets.preview(reference, limit)

    def augmented(
        self,
        reference: str,
        augment: Sequence[AnyAugmentation],
        *,
        rows: int,
        draws: int,
        seed: int,
        pointer: str = "/data/augment",
    ) -> bytes:
        """A PNG of a dataset's images beside what the augmentations make of them.

        Raises UnknownDataset; SpecError, its pointer beginning as told, where they do not fit the dataset.
        """
        return self._datasets.augmented(reference, augment, rows=rows, draws=draws, seed=seed, pointer=pointer)

    def data_report(self, reference: str, *, target: str | None = None, split: AnySplit | None = None) -> DataReport:
        """What the checks find about a dataset; raises UnknownDataset, SpecError."""
        return self._data_checks.of_dataset(reference, target=target, split=split)

    def dataset_usage(self, reference: str) -> DatasetUsage:
        """What a dataset takes up, and the jobs and models made of it; raises UnknownDataset."""
        return self._datasets.usage(reference)

    def delete_dataset(self, reference: str) -> None:
        """Remove a dataset; raises DatasetInUse while a job that is not done needs it."""
        self._datasets.delete(reference)

    def add_parameters(
        self, name: str, media_type: str, upload: Upload, origin: Origin = "auto"
    ) -> tuple[ParameterSet, bool]:
        """Make a parameter set of an upload whose names are those of `origin`; raises what `add_dataset` raises."""
        return self._parameters.add(name, media_type, upload, origin)

    def parameters(self, reference: str) -> ParameterSet:
        """The parameter set with this id or name; raises UnknownParameters."""
        return self._parameters.find(reference)

    def parameter_sets(self, *, limit: int = 20, after: str | None = None) -> Page[ParameterSet]:
        """Sets older than `after`, newest first."""
        return self._parameters.page(limit=self._limit(limit), after=_after("ps", after))

    # registered models

    def register_model(self, name: str, job_id: str, checkpoint: int | None = None) -> tuple[ModelVersion, bool]:
        """Make a job's model, or a checkpoint of it, the next version of a name; whether it is new there.

        Raises InvalidName, UnknownJob, NoModel, UnknownCheckpoint.
        """
        return self._registry.register(name, job_id, checkpoint)

    def models(self, *, limit: int = 20, after: str | None = None) -> Page[RegisteredModel]:
        """Models behind the name `after`, by name."""
        return self._store.models.page(limit=self._limit(limit), after=after)

    def registered_model(self, name: str) -> RegisteredModel:
        """The model of this name; raises UnknownModel."""
        return self._store.models.get(known_name(name))

    def sample_features(self, name: str, wanted: bool) -> RegisteredModel:
        """Whether the features of the model's requests are sampled, for `drift`; raises UnknownModel."""
        self._store.models.sample_features(known_name(name), wanted)
        return self.registered_model(name)

    def model_versions(self, name: str, *, limit: int = 20, after: int | None = None) -> Page[ModelVersion]:
        """Versions older than `after`, newest first."""
        before = None if after is None else _number(after)
        return self._store.models.versions(known_name(name), limit=self._limit(limit), after=before)

    def model_version(self, name: str, reference: int | str | None = None, *, pointer: str = "") -> ModelVersion:
        """The version with this number, or that this alias means, or the newest.

        Raises UnknownModel, UnknownVersion, UnknownAlias.
        """
        if isinstance(reference, str) and reference.isascii() and reference.isdigit():
            reference = int(reference)
        meant = _number(reference) if isinstance(reference, int) else reference
        return self._store.models.version(known_name(name), meant, pointer=pointer)

    def model_version_path(self, version: ModelVersion) -> Path:
        """Where the version's file lies; raises ArtifactDamaged when it is not what was stored."""
        return self._registry.path(version)

    def model_artifact(self, version: ModelVersion, form: ModelFormat) -> AbstractContextManager[tuple[Path, str]]:
        """The version's file and its SHA-256, within the block, in one of the formats that a model can be written in.

        Raises ArtifactDamaged, ExportImpossible, StorageFull.
        """
        return self._registry.artifact(version, form)

    def model_revisions(self, names: Iterable[str]) -> dict[str, int]:
        """A number for each of these models that grows by every change of it; what is not there is left out."""
        return self._store.models.revisions(names)

    def delete_model_version(self, name: str, version: int) -> None:
        """Forget a version; raises VersionInUse while an alias means it or predictions are made with it."""
        self._registry.delete(known_name(name), _number(version))

    def aliases(self, name: str) -> tuple[Alias, ...]:
        """What the model's aliases mean, by name; raises UnknownModel."""
        return self._store.models.aliases(known_name(name))

    def alias(self, name: str, alias: str) -> Alias:
        """What the alias means; raises UnknownModel, UnknownAlias."""
        return self._store.models.alias(known_name(name), alias)

    def set_alias(self, name: str, alias: str, version: int) -> Alias:
        """Have the alias mean this version; raises InvalidName, UnknownModel, UnknownVersion."""
        return self._store.models.set_alias(known_name(name), checked_alias(alias), _number(version))

    def roll_back_alias(self, name: str, alias: str) -> Alias:
        """Have the alias mean what it meant before; raises UnknownAlias, NoEarlierVersion."""
        return self._store.models.roll_back(known_name(name), alias)

    def remove_alias(self, name: str, alias: str) -> None:
        """Forget the alias, not its history; raises UnknownAlias."""
        self._store.models.remove_alias(known_name(name), alias)

    def alias_history(
        self, name: str, alias: str | None = None, *, limit: int = 20, after: int | None = None
    ) -> Page[AliasChange]:
        """Changes of the model's aliases older than number `after`, newest first."""
        before = None if after is None else _number(after)
        return self._store.models.history(known_name(name), alias, limit=self._limit(limit), before=before)

    def labelled_table(self, model: Model, reference: str, *, pointer: str) -> Table:
        """The rows of a dataset that has the model's features and its target; raises UnknownDataset, DataError."""
        dataset = self._datasets.open(self._datasets.find(reference, pointer=pointer).id)
        try:
            check_columns(model, dataset.training)
        except DataError as error:
            raise DataError(error.detail, pointer=pointer) from error
        if model.preprocessor.target.name not in dataset.training.columns:
            target = model.preprocessor.target.name
            raise DataError(f"dataset {reference!r} has no column {target!r}, the target of the model", pointer=pointer)
        return dataset.pooled

    def keep_feature_sample(
        self,
        name: str,
        process: str,
        since: float,
        *,
        seen: int,
        columns: Sequence[str],
        rows: Sequence[Sequence[JsonValue]],
    ) -> bool:
        """Write down what a process has sampled of an hour's requests; False where that is not wanted any more."""
        return self._store.feature_samples.keep(name, process, since, seen=seen, columns=columns, rows=rows)

    def drift(self, name: str, reference: int | str | None = None) -> Drift:
        """The sampled requests against the version's training rows; raises NothingToCompare."""
        model, version = self.registered_model(name), self.model_version(name, reference)
        return drift_of(model, version, self._store, self._artifacts, self._datasets)

    # batch predictions

    def predict_batch(
        self,
        name: str,
        reference: int | str | None,
        dataset: str,
        form: AnswerFormat,
        *,
        keyed: KeyedRequest | None = None,
    ) -> BatchPrediction:
        """Queue the prediction of a whole dataset with the version that is meant.

        Raises UnknownModel, UnknownVersion, UnknownAlias; UnknownDataset, DataError where the dataset does not fit.
        """
        version = self.model_version(name, reference)
        record = self._datasets.find(dataset, pointer="/dataset")
        self._registry.refuse_unless_fitting(version, self._datasets.open(record.id), pointer="/dataset")
        limit = self.settings.max_queued
        batch = self._store.batch_predictions.create(
            new_id("bp"), version, record, dataset, form, max_queued=limit, keyed=keyed
        )
        self._publisher.publish(batch.id, BATCH_QUEUE)
        return batch

    def batch_prediction(self, name: str, batch_id: str) -> BatchPrediction:
        """The batch prediction as it is now; raises UnknownBatch."""
        if not is_id("bp", batch_id):
            raise UnknownBatch(batch_id)
        batch = self._store.batch_predictions.get(batch_id)
        if batch.name != name:
            raise UnknownBatch(batch_id)
        return batch

    def batch_predictions(self, name: str, *, limit: int = 20, after: str | None = None) -> Page[BatchPrediction]:
        """Those of a model older than `after`, newest first."""
        page = self._store.batch_predictions.page(name, limit=self._limit(limit), after=_after("bp", after))
        if not page.data and after is None:
            self.registered_model(name)  # whose predictions may outlive it
        return page

    def batch_result(self, batch: BatchPrediction) -> Path:
        """Where the result lies; raises NoResult, ArtifactDamaged."""
        if batch.file is None or batch.sha256 is None:
            raise NoResult(batch.id, batch.state)
        return self._artifacts.verified(batch.file, batch.sha256)

    def delete_batch_prediction(self, name: str, batch_id: str) -> None:
        """Forget a batch prediction and its result; one that is being made is given up."""
        file = self._store.batch_predictions.delete(self.batch_prediction(name, batch_id).id)
        if file is not None:
            self._artifacts.discard(file)

    # the fleet

    def workers(self) -> tuple[WorkerRecord, ...]:
        """The worker processes that were seen lately."""
        return self._store.workers.alive()

    def health(self) -> dict[str, Condition]:
        """Whether the database and Redis answer."""
        sql = Condition(True, self._store.database.kind, "answers")
        try:
            self._store.database.ping()
        except StoreUnavailable as error:
            sql = Condition(False, self._store.database.kind, str(error))
        trouble = self._notifier.answers()
        detail = "answers" if trouble is None else f"{trouble}; jobs are kept and start later"
        return {"sql": sql, "redis": Condition(trouble is None, "redis", detail)}

    def close(self) -> None:
        """Stop the threads and close the database."""
        self._sweeper.close()
        self._publisher.close()
        self._notifier.close()
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _limit(self, limit: int) -> int:
        if not 1 <= limit <= self.settings.max_page:
            raise InvalidPage("limit", f"{limit} is not between 1 and {self.settings.max_page}")
        return limit


def _job_id(text: str) -> str:
    if not is_id("job", text):
        raise UnknownJob(text)
    return text


def _after(prefix: Prefix, entry: str | None) -> str | None:
    if entry is not None and not is_id(prefix, entry):
        raise InvalidPage("after", f"{entry[:80]!a} is no id of an entry; it looks like {prefix}_0123…")
    return entry


def _number(entry: int) -> int:
    """Within what a column can be compared with: no entry has a number outside."""
    return max(-1, min(entry, 2**31 - 1))
