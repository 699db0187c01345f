"""The backend's jobs: submitted, looked at, controlled, changed, compared, deleted; and what they have measured."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from itertools import takewhile
from pathlib import Path
from threading import Event as Flag
from time import monotonic

from pydantic import JsonValue

from engine import GradientCheckSpec, JobSpec
from engine.diagnosis import Diagnosis, diagnose
from engine.smoothing import with_smoothed_costs
from worker.domain.events import Event
from worker.domain.gradient_checks import GradientCheck, refuse_unless_kept
from worker.domain.idempotency import KeyedRequest
from worker.domain.jobs import Checkpoint, Job, JobVersion
from worker.domain.measurements import DatedRow, LayersMeasured
from worker.domain.models import ModelRecord
from worker.domain.paging import Page, Pages, column_number, known_job_id, page_after
from worker.domain.work_items import Status
from worker.errors import (
    InvalidPage,
    NoModel,
)
from worker.jobs.comparison import MOST_JOBS, Comparison, compare
from worker.jobs.group_commit import GroupCommit
from worker.jobs.hyperparameters import Hyperparameters, Steering
from worker.jobs.inputs import refuse_if_gone
from worker.jobs.submission import Outline, Submission
from worker.queue.notifier import Notifier
from worker.queue.publisher import Publisher
from worker.settings import Settings
from worker.storage.artifacts import Artifacts
from worker.store import LEAST_POINTS, TenantStore

MARKS = (
    *(f"{control}_requested" for control in ("pause", "resume", "stop", "cancel")),
    *("hyperparameters_requested", "hyperparameters_changed", "change_refused"),
    *("checkpoint", "resumed", "went_back", "error"),
)
"""Types of the events that a timeline shows beside the states."""


class JobsBackend:
    """What may be asked about training jobs; thread-safe."""

    def __init__(
        self,
        settings: Settings,
        store: TenantStore,
        artifacts: Artifacts,
        submission: Submission,
        group_commit: GroupCommit,
        publisher: Publisher,
        notifier: Notifier,
    ) -> None:
        self._settings = settings
        self._pages = Pages(settings.max_page)
        self._store = store
        self._artifacts = artifacts
        self._submission = submission
        self._group_commit = group_commit
        self._steering = Steering(store, submission)
        self._publisher = publisher
        self._notifier = notifier

    def outline(self, spec: JobSpec) -> Outline:
        """What `submit` would queue; raises what it would raise, and stores nothing."""
        return self._submission.outline(spec)

    def submit(self, spec: JobSpec, keyed: KeyedRequest | None = None) -> Job:
        """Queue a training job.

        Raises SpecError, ResourceLimit, UnknownDataset, UnknownParameters, UnknownCheckpoint,
        QueueFull, StorageFull.
        """
        return self.submit_soon(spec, keyed).result()

    def submit_soon(self, spec: JobSpec, keyed: KeyedRequest | None = None) -> "Future[Job]":
        """The same without waiting: for an event loop."""
        return self._group_commit.submit(self._submission, spec, keyed)

    def rerun(self, job_id: str, keyed: KeyedRequest | None = None) -> Job:
        """Queue a job once more, with the same spec, seed, data and changes; raises InputGone."""
        job = self.get(job_id)
        spec, draft = JobSpec.model_validate(job.spec), self._submission.again(job)
        return self._group_commit.create(self._submission, spec, draft, keyed).result()

    def get(self, job_id: str) -> Job:
        """The job as it is now; raises UnknownJob."""
        return self._store.jobs.get(known_job_id(job_id))

    def page(self, *, limit: int = 20, after: str | None = None, state: Status | None = None) -> Page[JobVersion]:
        """Jobs older than `after`, newest first, without their contents: by these one sees which have changed."""
        return self._store.jobs.page(limit=self._pages.limit(limit), after=page_after("job", after), state=state)

    def find(self, job_ids: Collection[str]) -> dict[str, Job]:
        """Those of the jobs that there are, by id, without their places in the queue."""
        return self._store.jobs.find(job_ids)

    def wait(self, job_id: str, seconds: float) -> Job:
        """The job once it is done, or as it is when the time is over."""
        changed = Flag()
        deadline = monotonic() + min(seconds, self._settings.max_wait_seconds)
        with self._notifier.listen(job_id, changed.set):
            while True:
                job = self.get(job_id)  # after listening began: a change in between would not be heard
                left = deadline - monotonic()
                if job.done or left <= 0:
                    return job
                changed.wait(left)
                changed.clear()

    def cancel(self, job_id: str) -> Job:
        """End the job: at once unless it is running, else as soon as its worker hears of it.

        Raises IllegalMove when it has come to another end.
        """
        return self._tell(self._store.jobs.cancel(known_job_id(job_id)))

    def pause(self, job_id: str) -> Job:
        """Have the job wait: at once while it is queued, else once its worker has saved it.

        Raises IllegalMove when it is done, ControlPending when it is about to be.
        """
        return self._tell(self._store.jobs.pause(known_job_id(job_id)))

    def resume(self, job_id: str, checkpoint: int | None = None) -> Job:
        """Queue a paused job, from an older checkpoint if one is named; raises what `pause` does, UnknownCheckpoint."""
        job, superfluous = self._store.jobs.resume(known_job_id(job_id), checkpoint)
        for file in superfluous:
            self._artifacts.discard(file)
        return self._tell(job)

    def stop(self, job_id: str) -> Job:
        """End the training and keep the best model so far; raises what `pause` does, NothingToKeep."""
        return self._tell(self._store.jobs.stop(known_job_id(job_id)))

    def _tell(self, job: Job) -> Job:
        if job.state is Status.QUEUED:
            self._publisher.publish(job.id, job.queue)
        self._notifier.notify(job.id)
        return job

    def delete(self, job_id: str) -> None:
        """Forget a job that is done, its measurements, checkpoints and model; raises JobInUse."""
        for file in self._store.jobs.delete(known_job_id(job_id)):
            self._artifacts.discard(file)

    def subscribe(self, job_id: str, wake: Callable[[], None]) -> AbstractContextManager[None]:
        """Inside the block `wake` is called, from another thread, whenever the job may have changed."""
        return self._notifier.listen(job_id, wake)

    def hyperparameters(self, job_id: str) -> Hyperparameters:
        """The spec that is, or soon will be, in force, and its changes so far."""
        return self._steering.hyperparameters(self.get(job_id))

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
        return self._store.checkpoints.page(known_job_id(job_id))

    def compare(self, job_ids: Sequence[str]) -> Comparison:
        """Where jobs differ; raises UnknownJob, InvalidPage unless there are two to ten."""
        wanted = list(dict.fromkeys(job_ids))
        if not 2 <= len(wanted) <= MOST_JOBS:
            raise InvalidPage("jobs", f"{len(wanted)} different jobs are not between 2 and {MOST_JOBS}")
        return compare(self._store, [self.get(job_id) for job_id in wanted])

    def diagnosis(self, job_id: str) -> Diagnosis:
        """Bias, variance and what to try next; raises NoModel before the job has succeeded."""
        job = self.get(job_id)
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
        job = self.get(job_id)
        refuse_unless_kept(job, wanted.at)
        refuse_if_gone(self._store, job.id)
        requested = wanted.model_dump(mode="json")
        most = self._settings.max_queued
        check = self._store.gradient_checks.create(job.id, requested, max_queued=most, keyed=keyed)
        if check.item_id is not None:
            self._publisher.publish(check.item_id, job.queue)
        return check

    def gradient_check(self, job_id: str, number: int) -> GradientCheck:
        """The check as it is now; raises UnknownJob, UnknownCheck."""
        return self._store.gradient_checks.get(self.get(job_id).id, number)

    def gradient_checks(self, job_id: str, *, after: int = 0, limit: int = 100) -> Page[GradientCheck]:
        """Checks behind number `after`, ascending: those that the spec wants and those that were asked for."""
        return self._store.gradient_checks.page(
            known_job_id(job_id), after=column_number(after), limit=self._pages.limit(limit)
        )

    def model(self, job_id: str) -> ModelRecord:
        """The model of a job that has succeeded; raises NoModel."""
        saved = self._store.measurements.model(known_job_id(job_id))
        return ModelRecord(job_id, self._artifacts.path(saved.file), saved.sha256, saved.weights_sha256)

    def model_path(self, job_id: str) -> Path:
        """Where the job's model lies; raises ArtifactDamaged when it is not what was stored."""
        saved = self._store.measurements.model(known_job_id(job_id))
        return self._artifacts.verified(saved.file, saved.sha256)

    def marks(self, job_id: str) -> tuple[Event, ...]:
        """What was asked of the job and what came of it, without its measurements."""
        return self._store.measurements.marks(known_job_id(job_id), MARKS, limit=self._settings.max_page)

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
        start = -1 if after is None else column_number(after)
        if max_points is None:
            return self._store.measurements.page(known_job_id(job_id), after=start, limit=self._pages.limit(limit))
        if not LEAST_POINTS <= max_points <= self._settings.max_page:
            allowed = f"between {LEAST_POINTS} and {self._settings.max_page}"
            raise InvalidPage("max_points", f"{max_points} is not {allowed}")
        rows = self._store.measurements.thinned(known_job_id(job_id), after=start, points=max_points)
        return Page(rows, has_more=False)

    def metric_rows(
        self, job_id: str, *, after: int | None = None, smoothing: float | None = None
    ) -> Iterator[DatedRow]:
        """Every row of the epochs behind `after`, read a few at a time; UnknownJob is raised before the first."""
        self.get(job_id)
        start = -1 if after is None else column_number(after)
        if smoothing is None:
            return self._store.measurements.rows(job_id, after=start)
        series = with_smoothed_costs(self._store.measurements.rows(job_id), smoothing)  # the average is of all
        return (row for row in series if int(row["epoch"] or 0) > start)

    def events(self, job_id: str, *, after: int = 0, limit: int = 100) -> Page[Event]:
        """Events behind number `after`, ascending and without a gap."""
        return self._store.measurements.events(
            known_job_id(job_id), after=column_number(after), limit=self._pages.limit(limit)
        )

    def layers(self, job_id: str, *, after: int = 0, limit: int = 100) -> Page[LayersMeasured]:
        """The layers' statistics of the measured epochs behind `after`, ascending."""
        return self._store.measurements.layers(
            known_job_id(job_id), after=column_number(after), limit=self._pages.limit(limit)
        )
