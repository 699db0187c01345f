"""Training a claimed job: the engine's events on one side, the store on the other."""

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import structlog
from pydantic import JsonValue, ValidationError

import engine
from engine import (
    Change,
    Changed,
    ChangeRefused,
    Checkpoint,
    CheckpointMade,
    CheckpointMismatch,
    DataHeld,
    EngineError,
    EpochEnded,
    Event,
    Finished,
    GradientsChecked,
    JobSpec,
    Network,
    Placement,
    PreparedData,
    Progressed,
    Resumed,
    Save,
    Started,
    Stop,
    Transferred,
    Warned,
    placed,
    train,
)
from worker.datasets.data_checks import DataChecks
from worker.domain.jobs import CheckpointKind, Claim, Failure, Progress, Stage, Status
from worker.domain.records import LayersMeasured, MetricsRow
from worker.errors import (
    ArtifactDamaged,
    LeaseLost,
    StorageFull,
    StoreUnavailable,
    UnknownCheckpoint,
    UnknownDataset,
    WorkerError,
)
from worker.jobs.inputs import JobInputs
from worker.models.registry import ModelRegistry
from worker.queue.notifier import Notifier
from worker.settings import Settings
from worker.storage.artifacts import Artifacts, room
from worker.store import Note, SavedModel, Store
from worker.store.models import Registering
from worker.work.checkpoints import Checkpoints
from worker.work.environment import differences, environment
from worker.work.lease import Lease
from worker.work.watchdog import Ends, Watchdog

BATCH_SECONDS = 0.25  # an epoch may last a millisecond, a commit must not
LOOK_SECONDS = 1.0  # how often somebody's wishes are looked for when there is nothing to write
RETRY_SECONDS = 0.5
FULL_RETRIES = 10  # of a model that the disk has no room for
DRAIN_SECONDS = 5.0  # to come to the next batch and save; then the job is handed back as it was last saved

ADVICE = {
    "diverged": (
        "/optimizer/learning_rate",
        "lower the learning rate, normalize the inputs or clip the gradient",
    ),
    "out_of_memory": ("/training/batch_size", "choose a smaller batch, fewer units or a smaller dataset"),
    "timeout": ("/training/epochs", "train fewer epochs, or raise time_limit_seconds or TRAINSHED_MAX_RUNTIME_SECONDS"),
    "storage_full": (None, "free some space in TRAINSHED_DATA_DIR, and submit the job again"),
}


class Cancelled(Exception):
    """Somebody asked for the end of this job."""


class Drained(Exception):
    """This worker was asked to end; the job goes back to the queue."""


class Paused(Exception):
    """Somebody asked for a rest, and the job is saved."""


Ending = Finished | Failure | Cancelled | Drained | Paused


@dataclass
class Batch:
    """What has happened and is not stored yet."""

    number: int = 1
    rows: list[MetricsRow] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)  # the monotonic time of each row's end
    notes: list[Note] = field(default_factory=list)
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
        return bool(self.rows or self.notes or self.reports or self.layers)

    @property
    def due(self) -> bool:
        """Whether it is time to store it."""
        return time.monotonic() - self.since > (BATCH_SECONDS if self.holds_something else LOOK_SECONDS)


class Speed:
    """Examples per second since the run, or its last change, began."""

    def __init__(self) -> None:
        self._since: tuple[float, int] | None = None

    def restart(self) -> None:
        """Count from the next measurement on."""
        self._since = None

    def of(self, progress: engine.Progress) -> Progress:
        """The progress as the store has it, with the time that is left at this speed."""
        now = time.monotonic()
        began, examples = self._since = self._since or (now, progress.examples)
        seen = progress.examples - examples
        rate = seen / (now - began) if seen and now > began else None
        left = (1 - progress.fraction) * progress.examples / progress.fraction if progress.fraction else None
        return Progress(
            step=progress.step,
            steps=progress.steps,
            examples_per_second=rate,
            eta_seconds=left / rate if rate and left is not None else None,
            at_most=progress.patience is not None,
            epochs_since_best=progress.epochs_since_best,
            patience=progress.patience,
        )


class Execution:
    """One attempt at one job."""

    def __init__(
        self,
        claim: Claim,
        settings: Settings,
        store: Store,
        artifacts: Artifacts,
        notifier: Notifier,
        *,
        draining: Callable[[], bool],
    ) -> None:
        self._claim = claim
        self._settings = settings
        self._store = store
        self._artifacts = artifacts
        self._checkpoints = Checkpoints(claim, store, artifacts)
        self._notifier = notifier
        self._draining = draining
        self._drained_at: float | None = None
        self._batch = Batch()
        self._speed = Speed()
        self._revision = 0  # the newest that the run knows of
        self._changes: deque[Change] = deque()  # known, and not told to the run yet
        self._unstored: deque[Batch] = deque()  # sent, and not known to be stored
        self._applied: deque[tuple[int, int, int | None]] = deque()  # revision, epoch and checkpoint, not stored yet
        self._saving: CheckpointKind | None = None  # asked for, and not made yet
        self._saved_at = time.monotonic()
        self._unsaved = False  # the last checkpoint could not be written
        self._stopping = False
        self._metrics: Mapping[str, JsonValue] = {}  # of the last epoch
        self._deadline = time.monotonic() + self._seconds_left
        self._log = structlog.get_logger("execution").bind(job_id=claim.job_id, attempt=claim.attempt)

    @property
    def _seconds_left(self) -> float:
        """What an attempt may take, and what the attempts before have left of the job's own limit."""
        limit = self._claim.job.spec.get("time_limit_seconds")
        left = math.inf if not isinstance(limit, int | float) else limit - self._claim.job.spent_seconds
        return max(0.0, min(left, self._settings.max_runtime_seconds))

    def run(self) -> None:
        """Bring the job to an end that the store knows of, or lose it to another attempt."""
        self._log.info("job_claimed", worker=self._claim.worker)
        self._notifier.notify(self._claim.job_id)
        claims, lease = self._store.claims, Lease(self._claim, seconds=self._settings.lease_seconds)
        ends = Ends(partial(claims.fail, self._claim), partial(claims.cancelled, self._claim))
        renew = partial(claims.renew, self._claim)
        try:
            with Watchdog(lease, renew, ends, self._settings, deadline=self._deadline):
                self._close(lease, self._outcome(lease))
        except LeaseLost:
            self._log.warning("lease_lost")
        self._notifier.notify(self._claim.job_id)

    def _outcome(self, lease: Lease) -> Ending:
        try:
            return self._train(lease)
        except (Cancelled, Drained, Paused) as wish:
            return wish
        except LeaseLost:
            raise
        except (EngineError, ArtifactDamaged, UnknownDataset, UnknownCheckpoint) as error:
            return failure(error.code, str(error), getattr(error, "pointer", None))
        except TimeoutError as error:
            return failure("timeout", str(error))
        except MemoryError:
            return failure("out_of_memory", "the worker does not have the memory that this job needs")
        except ValidationError as error:
            message = f"this version does not understand the spec that was stored: {error.errors()[0]['msg']}"
            return failure("invalid_spec", message)
        except (StoreUnavailable, StorageFull) as error:
            self._log.warning("store_unavailable", error=str(error))
            raise LeaseLost(self._claim.job_id, self._claim.attempt) from error
        except Exception:  # the task's boundary: one job's surprise must not be trained five times over
            self._log.exception("job_crashed")
            return failure("internal_error", "the training ended unexpectedly; the worker's log says more")

    def _train(self, lease: Lease) -> Finished:
        self._store_batch(lease)
        spec = JobSpec.model_validate(self._claim.job.spec)
        inputs = JobInputs(self._claim.job_id, spec, self._settings, self._store, self._artifacts)
        datasets = inputs.datasets()
        data = inputs.prepared(datasets)
        self._heed(lease)
        checkpoint = self._newest()
        if checkpoint is None:
            for event in DataChecks(self._store, inputs.library).of_job(spec, datasets, inputs.dataset_ids).events():
                self._note(event)
        network = Network.of(spec, data.preprocessor)
        placement = placed(network, spec)
        self._note_environment(checkpoint, placement)
        self._heed(lease)
        while True:
            given = inputs if checkpoint is None else None
            try:
                return self._follow(lease, spec, network, data, placement, checkpoint, given)
            except CheckpointMismatch as error:  # of data held otherwise than there, or of an older version
                self._complain(str(error))
                self._checkpoints.forget_newest()
                checkpoint = self._newest()

    def _newest(self) -> Checkpoint | None:
        checkpoint, complaints = self._checkpoints.newest()
        for complaint in complaints:
            self._complain(complaint)
        return checkpoint

    def _follow(
        self,
        lease: Lease,
        spec: JobSpec,
        network: Network,
        data: PreparedData,
        placement: Placement,
        checkpoint: Checkpoint | None,
        inputs: JobInputs | None,
    ) -> Finished:
        """Train from the checkpoint, or from the parameters that the inputs give."""
        self._revision = checkpoint.revision if checkpoint is not None else 0
        events = train(
            network,
            spec,
            data,
            given=None if inputs is None else inputs.given(),
            resume_from=checkpoint,
            changes=self._new_changes(),
            breathe=partial(self._breathe, lease),
            placement=placement,
        )
        answer: engine.Control | None = None
        try:
            while True:
                event = events.send(answer)
                if isinstance(event, Finished):
                    return event
                self._take(lease, event)
                if self._batch.due:
                    self._store_batch(lease)
                self._heed(lease)
                answer = self._answer(lease)
        finally:
            events.close()

    # -- what the run says --------------------------------------------------------------------------------------

    def _take(self, lease: Lease, event: Event) -> None:
        batch = self._batch
        batch.stage = "training"
        match event:
            case Started() | DataHeld() | Transferred() | ChangeRefused():
                self._note(event)
            case Resumed():  # the store has noted it, with the checkpoint's number
                pass
            case Progressed(progress=progress):
                batch.progress = self._speed.of(progress)
            case EpochEnded(row=row, progress=progress):
                batch.rows.append({name: _number(value) for name, value in row.items()})
                batch.ended.append(time.monotonic())
                batch.epoch, batch.epochs = int(row["epoch"] or 0), progress.epochs
                batch.progress = self._speed.of(progress)
                self._metrics = plain(batch.rows[-1])
            case GradientsChecked():
                report = plain(event.report.model_dump(mode="json"))
                batch.reports.append(report)
                summary = {key: report[key] for key in ("at", "difference", "verdict")}
                batch.notes.append(Note("gradients_checked", summary))
            case engine.LayersMeasured(epoch=epoch, layers=layers):
                batch.layers.append(LayersMeasured(epoch, [plain(layer.to_json()) for layer in layers]))
            case Warned():
                batch.warnings += 1
                batch.notes.append(Note("warning", plain(event.to_json())))
            case CheckpointMade(checkpoint=checkpoint):
                self._save_checkpoint(lease, checkpoint, self._saving or "periodic")
                self._saving = None
            case Changed(epoch=epoch, revision=revision, checkpoint=checkpoint):
                number = self._save_checkpoint(lease, checkpoint, "control")
                self._applied.append((revision, epoch, number))
                self._speed.restart()

    def _note(self, event: Event) -> None:
        self._batch.notes.append(Note(event.type, plain(event.to_json())))

    def _complain(self, what: str) -> None:
        self._log.warning("checkpoint_damaged", error=what)
        self._batch.notes.append(Note("checkpoint_damaged", {"detail": what}))

    def _note_environment(self, checkpoint: Checkpoint | None, placement: Placement) -> None:
        """Write down where the job trains; a resume elsewhere may end with other last bits, and says so."""
        here, before = environment(placement.name), self._claim.job.environment
        if checkpoint is not None and before is not None and (differing := differences(before, here)):
            message = "resumed where the arithmetic may round otherwise: the last bits may differ from those of one run"
            self._batch.notes.append(Note("resumed_elsewhere", {"message": message, "differences": differing}))
        self._store.claims.environment(self._claim, here)

    # -- checkpoints --------------------------------------------------------------------------------------------

    def _save_checkpoint(self, lease: Lease, checkpoint: Checkpoint, kind: CheckpointKind) -> int | None:
        """Save a checkpoint, and all that was measured before it; its number, None if there is no room for it.

        Without room the training goes on, at the price of losing more with its worker.
        """
        self._saved_at = time.monotonic()
        if not self._store_batch(lease):
            self._unsaved = True
            return None
        try:
            number, wish = self._checkpoints.keep(checkpoint, kind, self._metrics)
        except (StoreUnavailable, StorageFull) as error:
            self._log.warning("checkpoint_not_saved", error=str(error))
            if not self._unsaved:
                self._batch.notes.append(Note("checkpoint_failed", {"code": error.code, "detail": str(error)}))
            self._unsaved = True
            return None
        if wish is not None:
            lease.held(wish)
        self._unsaved = False
        if kind == "control" and self._drained_at is not None:
            raise Drained
        if kind == "control" and lease.control == "pause":
            raise Paused
        return number

    # -- what others want ---------------------------------------------------------------------------------------

    def _answer(self, lease: Lease) -> engine.Control | None:
        """What the run is to do: one thing at a time."""
        if lease.revision > self._revision:
            try:
                self._changes.extend(self._new_changes())
                self._revision = max(self._revision, lease.revision)
            except (StoreUnavailable, StorageFull) as error:  # asked again after the next event
                self._log.warning("changes_not_read", error=str(error))
        if lease.control == "stop" and not self._stopping:
            self._stopping = True
            return Stop("stopped_by_user")
        since = time.monotonic() - self._saved_at
        resting = lease.control == "pause" or self._drained_at is not None
        if resting and self._saving != "control" and (not self._unsaved or since > RETRY_SECONDS):
            self._saving = "control"
            return Save()
        if self._changes:
            return self._changes.popleft()
        if self._saving is None and since > self._settings.checkpoint_seconds:
            self._saving = "periodic"
            return Save()
        return None

    def _new_changes(self) -> list[Change]:
        """The revisions that the run does not know; those of an attempt before name the epoch they began with."""
        found = self._store.revisions.after(self._claim.job_id, self._revision)
        self._revision = max([self._revision, *(revision.number for revision in found)])
        return [Change(one.number, JobSpec.model_validate(one.spec), one.effective_epoch) for one in found]

    def _heed(self, lease: Lease) -> None:
        lease.check()
        lease.progressed()
        if lease.control == "cancel":
            raise Cancelled
        if self._draining():
            self._drained_at = self._drained_at or time.monotonic()
            if self._batch.stage == "preparing" or time.monotonic() - self._drained_at > DRAIN_SECONDS:
                raise Drained
        if time.monotonic() > self._deadline:
            raise TimeoutError(f"the job has run for longer than the {self._seconds_left:g} s that it may")

    def _breathe(self, lease: Lease) -> None:
        """Between two steps of a long check: there is no event at which the run could save."""
        self._heed(lease)
        if self._drained_at is not None:
            raise Drained

    # -- writing it down ----------------------------------------------------------------------------------------

    def _store_batch(self, lease: Lease) -> bool:
        """Write what has gathered, and say if all of it is written.

        A batch that was sent once is never added to: if only its answer was lost, the store takes nothing of it again.
        """
        batch = self._batch
        if batch.holds_something or not self._unstored:
            self._unstored.append(batch)
            self._batch = Batch(batch.number + 1, stage=batch.stage, epoch=batch.epoch)
        try:
            while self._unstored:
                self._send(lease, self._unstored[0])
                self._unstored.popleft()
            while self._applied:
                self._store.claims.applied(self._claim, *self._applied[0])
                self._applied.popleft()
        except (StoreUnavailable, StorageFull) as error:
            self._log.warning("batch_not_stored", batches=len(self._unstored), error=str(error))
            self._batch.since = time.monotonic()
            return False
        return True

    def _send(self, lease: Lease, batch: Batch) -> None:
        wish = self._store.claims.record(
            self._claim,
            batch.number,
            rows=batch.rows,
            ended=batch.ended,
            layers=batch.layers,
            notes=batch.notes,
            reports=batch.reports,
            stage=batch.stage,
            epoch=batch.epoch,
            epochs=batch.epochs or self._claim.job.epochs,
            warnings=batch.warnings,
            progress=batch.progress,
        )
        lease.held(wish)
        if batch.notes or batch.rows:
            self._notifier.notify(self._claim.job_id)

    def _close(self, lease: Lease, outcome: Ending) -> None:
        """Store the outcome, as often as it takes while the lease holds."""
        model: SavedModel | None = None
        stored = False
        self._batch.stage = "saving"
        full = 0
        try:
            while not stored:
                lease.check()
                lease.progressed()
                try:
                    if isinstance(outcome, Finished) and model is None:
                        model = self._save(outcome)
                    self._finish(lease, outcome, model)
                    stored = True
                except (StoreUnavailable, StorageFull) as error:
                    self._log.warning("outcome_not_stored", error=str(error))
                    full += isinstance(error, StorageFull)
                    if full > FULL_RETRIES and model is None and isinstance(outcome, Finished):
                        outcome = failure(error.code, str(error))
                    time.sleep(RETRY_SECONDS)
        finally:
            if model is not None and not self._kept(stored):
                self._artifacts.discard(model.file)
        try:
            self._checkpoints.tidy()
        except WorkerError as error:  # the job may be gone already
            self._log.warning("not_tidied", error=str(error))

    def _finish(self, lease: Lease, outcome: Ending, model: SavedModel | None) -> None:
        if not self._store_batch(lease):
            raise StoreUnavailable("the last batch is not stored yet")
        claims = self._store.claims
        match outcome:
            case Finished() if model is not None:
                result = plain(outcome.result)
                state = claims.finish(
                    self._claim,
                    model,
                    result,
                    stop_reason=outcome.stop_reason,
                    registering=self._registering(model, result, outcome.stop_reason),
                )
                self._log.info("job_ended", state=str(state), stop_reason=outcome.stop_reason)
            case Failure():
                claims.fail(self._claim, outcome)
                self._log.info("job_ended", state="failed", code=outcome.code)
            case Cancelled():
                claims.cancelled(self._claim)
                self._log.info("job_ended", state="cancelled")
            case Drained():
                state = claims.release(self._claim, "worker_shutdown")
                self._log.info("job_released", state=str(state))
            case Paused():
                state = claims.paused(self._claim)
                self._log.info("job_paused", state=str(state))

    def _registering(self, model: SavedModel, result: Mapping[str, JsonValue], stop_reason: str) -> Registering | None:
        """What makes the model a version of the name that the spec gives, if it does."""
        name = self._claim.job.spec.get("register_as")
        if not isinstance(name, str):
            return None
        job = self._store.jobs.get(self._claim.job_id)
        ended = replace(job, stop_reason=stop_reason, finished_at=datetime.now(UTC))
        return ModelRegistry(self._store, self._artifacts, self._settings).registering(name, ended, model, result)

    def _save(self, outcome: Finished) -> SavedModel:
        file = f"models/{self._claim.job_id}/{self._claim.attempt}.safetensors"
        with self._artifacts.unfinished() as path:
            with room():
                outcome.model.save(path)
            sha256 = self._artifacts.keep(path, file)
        return SavedModel(file, sha256, outcome.model.weights_sha256)

    def _kept(self, stored: bool) -> bool:
        """Whether the model's row exists; if nobody can say, the file stays."""
        if not stored:
            return False
        try:
            return self._store.jobs.get(self._claim.job_id).state is Status.SUCCEEDED
        except WorkerError:
            return True


def failure(code: str, message: str, pointer: str | None = None) -> Failure:
    """The job's error, with the field to change where that is known."""
    param, hint = ADVICE.get(code, (None, None))
    return Failure(code, message, pointer or param, hint)


def plain(value: Mapping[str, object]) -> dict[str, JsonValue]:
    """The same in JSON's own types; a number that is not finite becomes null."""
    return {str(key): _plain(item) for key, item in value.items()}


def _number(value: float | np.number | None) -> float | int | None:
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, np.integer):
        return int(value)
    return float(value) if math.isfinite(value) else None


def _plain(value: object) -> JsonValue:
    match value:
        case None | bool() | str():
            return value
        case int() | float() | np.number():
            return _number(value)
        case Path():
            return str(value)
        case Mapping():
            return plain(value)
        case list() | tuple():
            return [_plain(item) for item in value]
        case np.ndarray():
            return _plain(value.tolist())
    raise TypeError(f"{type(value).__name__} has no place in JSON")
