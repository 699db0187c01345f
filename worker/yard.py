"""The yard: everything that the service may ask of the worker package, in one object."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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

from engine import GradientCheckSpec, JobSpec
from engine.data.augmentation.augmentations import AnyAugmentation
from engine.data.checks import DataReport
from engine.data.splits import AnySplit
from engine.diagnosis import Diagnosis, diagnose
from engine.smoothing import with_smoothed_costs
from worker.artifacts import Artifacts
from worker.broker import Transport, find_transport
from worker.bulletin import Bulletin
from worker.celery_app import make_app
from worker.data_checks import DataChecks
from worker.datasets import DatasetLibrary
from worker.errors import InvalidPage, NoModel, StoreUnavailable, UnknownJob
from worker.gradient_checks import GradientCheck, refuse_unless_kept
from worker.ids import Prefix, is_id
from worker.inputs import refuse_if_gone
from worker.jobs import Job, Status
from worker.nudge import Nudger
from worker.parameter_sets import ParameterLibrary
from worker.records import (
    Condition,
    DatasetRecord,
    DatasetUsage,
    Event,
    LayersMeasured,
    MetricsRow,
    ModelRecord,
    Page,
    ParameterSet,
    WorkerRecord,
)
from worker.settings import Settings
from worker.store import LEAST_POINTS, Store, open_store
from worker.submission import Outline, Submission
from worker.sweeper import Sweeper
from worker.uploads import Upload, receive


def open_yard(settings: Settings, transport: Transport | None = None) -> "Yard":
    """The yard that the settings name; by default over the transport of the stack on the same data folder."""
    return Yard(settings, transport or find_transport(settings), open_store(settings))


class Yard:
    """Jobs, datasets, parameter sets and workers; thread-safe, a context manager that closes itself."""

    def __init__(self, settings: Settings, transport: Transport, store: Store) -> None:
        self.settings = settings
        self.transport = transport
        self._store = store
        self._artifacts = Artifacts(settings.data_dir)
        self._artifacts.sweep()
        self._datasets = DatasetLibrary(store, self._artifacts, settings)
        self._parameters = ParameterLibrary(store, self._artifacts, settings)
        self._data_checks = DataChecks(store, self._datasets)
        self._submission = Submission(self._datasets, self._parameters, settings)
        self._bulletin = Bulletin(transport)
        self._nudger = Nudger(make_app(settings, transport), store)
        self._sweeper = Sweeper(settings, transport, store, self._nudger, self._bulletin)
        structlog.get_logger("yard").info(
            "yard_opened", sql=store.database.kind, sqlite=sqlite_version, broker=transport.kind
        )

    # jobs

    def outline(self, spec: JobSpec) -> Outline:
        """What `submit` would queue; raises what it would raise, and stores nothing."""
        return self._submission.outline(spec)

    def submit(self, spec: JobSpec) -> Job:
        """Queue a training job.

        Raises SpecError, SamplesMissing, ResourceLimit, UnknownDataset, UnknownParameters, QueueFull.
        """
        job = self._store.jobs.create(self._submission.draft(spec), max_queued=self.settings.max_queued)
        self._nudger.nudge(job.id, job.queue)
        return job

    def job(self, job_id: str) -> Job:
        """The job as it is now; raises UnknownJob."""
        return self._store.jobs.get(_job_id(job_id))

    def jobs(self, *, limit: int = 20, after: str | None = None, state: Status | None = None) -> Page[Job]:
        """Jobs older than `after`, newest first."""
        return self._store.jobs.page(limit=self._limit(limit), after=_after("job", after), state=state)

    def wait(self, job_id: str, seconds: float) -> Job:
        """The job once it is done, or as it is when the time is over."""
        changed = Flag()
        deadline = monotonic() + min(seconds, self.settings.max_wait_seconds)
        with self._bulletin.listen(job_id, changed.set):
            while True:
                job = self.job(job_id)  # after listening began: a change in between would not be heard
                left = deadline - monotonic()
                if job.done or left <= 0:
                    return job
                changed.wait(left)
                changed.clear()

    def cancel(self, job_id: str) -> Job:
        """End the job: at once while it is queued, else as soon as its worker hears of it.

        Raises IllegalMove when it is done.
        """
        job = self._store.jobs.cancel(_job_id(job_id))
        self._bulletin.wake(job_id)
        return job

    def metrics(
        self,
        job_id: str,
        *,
        after: int | None = None,
        limit: int = 1000,
        max_points: int | None = None,
        smoothing: float | None = None,
    ) -> Page[MetricsRow]:
        """Rows of the epochs behind `after`, ascending; with `max_points`, as many as keep the shape.

        With `smoothing`, the β of an exponentially weighted average, every cost has its trend beside it.
        """
        page = self._metrics(job_id, after, limit, max_points)
        if smoothing is None or not page.data:
            return page
        wanted = {row["epoch"] for row in page.data}
        last = page.data[-1]["epoch"] or 0
        series = takewhile(lambda row: (row["epoch"] or 0) <= last, self.metric_rows(job_id, smoothing=smoothing))
        return Page(tuple(row for row in series if row["epoch"] in wanted), page.has_more)

    def _metrics(self, job_id: str, after: int | None, limit: int, max_points: int | None) -> Page[MetricsRow]:
        start = -1 if after is None else _number(after)
        if max_points is None:
            return self._store.measurements.page(_job_id(job_id), after=start, limit=self._limit(limit))
        if not LEAST_POINTS <= max_points <= self.settings.max_page:
            allowed = f"between {LEAST_POINTS} and {self.settings.max_page}"
            raise InvalidPage("max_points", f"{max_points} is not {allowed}")
        rows = self._store.measurements.thinned(_job_id(job_id), after=start, points=max_points)
        return Page(rows, has_more=False)

    def metric_rows(self, job_id: str, *, smoothing: float | None = None) -> Iterator[MetricsRow]:
        """Every row, read a few at a time; UnknownJob is raised before the first."""
        self.job(job_id)
        rows = self._store.measurements.rows(job_id)
        return rows if smoothing is None else with_smoothed_costs(rows, smoothing)

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
        warnings = self._store.measurements.warnings(job_id, job.attempt)
        return diagnose(JobSpec.model_validate(job.spec), job.result, warnings)

    def check_gradients(self, job_id: str, wanted: GradientCheckSpec) -> GradientCheck:
        """Queue a gradient check of the job, whatever its state.

        Raises MomentMissing, MomentNotKept, InputGone, QueueFull.
        """
        job = self.job(job_id)
        refuse_unless_kept(job, wanted.at)
        refuse_if_gone(self._store, job.id)
        requested = wanted.model_dump(mode="json")
        check = self._store.gradient_checks.create(job.id, requested, max_queued=self.settings.max_queued)
        self._nudger.nudge(job.id, job.queue, check=check.number)
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
        return self._bulletin.listen(job_id, wake)

    # uploads

    def receive(self) -> AbstractContextManager[Upload]:
        """Somewhere to write an upload to; it is gone at the end of the block."""
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

    def add_parameters(self, name: str, media_type: str, upload: Upload) -> tuple[ParameterSet, bool]:
        """Make a parameter set of an upload; raises what `add_dataset` raises."""
        return self._parameters.add(name, media_type, upload)

    def parameters(self, reference: str) -> ParameterSet:
        """The parameter set with this id or name; raises UnknownParameters."""
        return self._parameters.find(reference)

    def parameter_sets(self, *, limit: int = 20, after: str | None = None) -> Page[ParameterSet]:
        """Sets older than `after`, newest first."""
        return self._parameters.page(limit=self._limit(limit), after=_after("ps", after))

    # the fleet

    def workers(self) -> tuple[WorkerRecord, ...]:
        """The worker processes that were seen lately."""
        return self._store.workers.alive()

    def health(self) -> dict[str, Condition]:
        """Whether the database and the broker answer."""
        sql = Condition(True, self._store.database.kind, "answers")
        try:
            self._store.database.ping()
        except StoreUnavailable as error:
            sql = Condition(False, self._store.database.kind, str(error))
        trouble = self._bulletin.answers()
        detail = "answers" if trouble is None else f"does not answer ({trouble}); jobs are kept and start later"
        return {
            "sql": sql,
            "redis": Condition(trouble is None, self.transport.kind, detail, self.transport.cannot),
        }

    def close(self) -> None:
        """Stop the threads and close the database."""
        self._sweeper.close()
        self._nudger.close()
        self._bulletin.close()
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
