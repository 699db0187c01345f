"""Training a claimed job: the engine's events on one side, the store on the other."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray
from pydantic import JsonValue, ValidationError

import engine
from engine import (
    DataHeld,
    EngineError,
    EpochEnded,
    Event,
    Finished,
    GradientsChecked,
    JobSpec,
    Network,
    Started,
    Warned,
    prepare,
    train,
)
from worker.artifacts import Artifacts
from worker.bulletin import Bulletin
from worker.data_checks import DataChecks
from worker.datasets import DatasetLibrary
from worker.errors import (
    ArtifactDamaged,
    LeaseLost,
    StorageFull,
    StoreUnavailable,
    UnknownDataset,
    WorkerError,
)
from worker.jobs import Claim, Failure, Stage, Status
from worker.lease import Lease
from worker.parameter_sets import ParameterLibrary
from worker.records import LayersMeasured, MetricsRow
from worker.settings import Settings
from worker.store import Note, SavedModel, Store

BATCH_SECONDS = 0.25  # an epoch may last a millisecond, a commit must not
LOOK_SECONDS = 1.0  # how often somebody's wish to cancel is looked for when there is nothing to write
RETRY_SECONDS = 0.5

ADVICE = {
    "diverged": (
        "/optimizer/learning_rate",
        "lower the learning rate, normalize the inputs or clip the gradient",
    ),
    "out_of_memory": ("/training/batch_size", "choose a smaller batch, fewer units or a smaller dataset"),
    "timeout": ("/training/epochs", "train fewer epochs, or raise TRAINYARD_MAX_RUNTIME_SECONDS"),
}


class Cancelled(Exception):
    """Somebody asked for the end of this job."""


class Drained(Exception):
    """This worker was asked to end; the job goes back to the queue."""


@dataclass
class Batch:
    """What has happened and is not stored yet."""

    number: int = 1
    rows: list[MetricsRow] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    reports: list[Mapping[str, JsonValue]] = field(default_factory=list)
    layers: list[LayersMeasured] = field(default_factory=list)
    warnings: int = 0
    stage: Stage = "preparing"
    epoch: int = 0
    since: float = field(default_factory=time.monotonic)

    @property
    def due(self) -> bool:
        """Whether it is time to store it."""
        something = self.rows or self.notes or self.reports or self.layers
        return time.monotonic() - self.since > (BATCH_SECONDS if something else LOOK_SECONDS)


class Execution:
    """One attempt at one job."""

    def __init__(
        self,
        claim: Claim,
        settings: Settings,
        store: Store,
        artifacts: Artifacts,
        bulletin: Bulletin,
        *,
        draining: Callable[[], bool],
    ) -> None:
        self._claim = claim
        self._settings = settings
        self._store = store
        self._artifacts = artifacts
        self._datasets = DatasetLibrary(store, artifacts, settings)
        self._parameters = ParameterLibrary(store, artifacts, settings)
        self._bulletin = bulletin
        self._draining = draining
        self._batch = Batch()
        self._deadline = time.monotonic() + settings.max_runtime_seconds
        self._log = structlog.get_logger("execution").bind(job_id=claim.job_id, attempt=claim.attempt)

    def run(self) -> None:
        """Bring the job to an end that the store knows of, or lose it to another attempt."""
        self._log.info("job_claimed", worker=self._claim.worker)
        self._bulletin.announce(self._claim.job_id)
        try:
            with Lease(self._claim, partial(self._store.claims.renew, self._claim), self._settings) as lease:
                self._close(lease, self._outcome(lease))
        except LeaseLost:
            self._log.warning("lease_lost")
        self._bulletin.announce(self._claim.job_id)

    def _outcome(self, lease: Lease) -> Finished | Failure | Cancelled | Drained:
        try:
            return self._train(lease)
        except (Cancelled, Drained) as wish:
            return wish
        except LeaseLost:
            raise
        except (EngineError, ArtifactDamaged, UnknownDataset) as error:
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
        inputs = self._store.jobs.inputs(self._claim.job_id)
        datasets = {reference: self._datasets.load(ident) for reference, ident in inputs["dataset"].items()}
        given = self._given(inputs["parameters"])
        memory = self._settings.max_data_bytes
        data = prepare(spec.data, datasets, loss=spec.loss.type, dtype=spec.precision, memory_bytes=memory)
        self._heed(lease)
        for event in DataChecks(self._store, self._datasets).of_job(spec, datasets, inputs["dataset"]).events():
            self._batch.notes.append(Note(event.type, plain(event.to_json())))
        self._heed(lease)
        network = Network.of(spec, data.preprocessor)
        events = train(network, spec, data, given=given)
        try:
            for event in events:
                if isinstance(event, Finished):
                    return event
                self._take(event)
                if self._batch.due:
                    self._store_batch(lease)
                self._heed(lease)
        finally:
            events.close()
        raise RuntimeError("the engine's events ended without Finished")

    def _given(self, parameters: Mapping[str, str]) -> Mapping[str, NDArray[np.generic]] | None:
        for ident in parameters.values():
            return self._parameters.load(ident)
        return None

    def _take(self, event: Event) -> None:
        batch = self._batch
        batch.stage = "training"
        match event:
            case Started():
                batch.notes.append(Note("started", plain(event.to_json())))
            case DataHeld():
                batch.notes.append(Note("data_held", plain(event.to_json())))
            case EpochEnded(row=row):
                batch.rows.append({name: _number(value) for name, value in row.items()})
                batch.epoch = int(row["epoch"] or 0)
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

    def _store_batch(self, lease: Lease) -> None:
        """Write what has gathered; while the store is away it gathers on, until the lease is over."""
        batch = self._batch
        notes = list(batch.notes)
        if batch.rows:
            progress: dict[str, JsonValue] = {
                "epoch": batch.epoch,
                "epochs": self._claim.job.epochs,
                "metrics": plain(batch.rows[-1]),
            }
            notes.append(Note("epoch", progress))
        try:
            control = self._store.claims.record(
                self._claim,
                batch.number,
                rows=batch.rows,
                layers=batch.layers,
                notes=notes,
                reports=batch.reports,
                stage=batch.stage,
                epoch=batch.epoch,
                warnings=batch.warnings,
            )
        except (StoreUnavailable, StorageFull) as error:
            self._log.warning("batch_not_stored", rows=len(batch.rows), error=str(error))
            batch.since = time.monotonic()
            return
        lease.held(control)
        self._batch = Batch(batch.number + 1, stage=batch.stage, epoch=batch.epoch)
        if notes:
            self._bulletin.announce(self._claim.job_id)

    def _heed(self, lease: Lease) -> None:
        lease.check()
        if lease.control == "cancel":
            raise Cancelled
        if self._draining():
            raise Drained
        if time.monotonic() > self._deadline:
            seconds = self._settings.max_runtime_seconds
            raise TimeoutError(f"the job has run for longer than the {seconds:g} s allowed")

    def _close(self, lease: Lease, outcome: Finished | Failure | Cancelled | Drained) -> None:
        """Store the outcome, as often as it takes while the lease holds."""
        model: SavedModel | None = None
        stored = False
        self._batch.stage = "saving"
        try:
            while not stored:
                lease.check()
                try:
                    if isinstance(outcome, Finished) and model is None:
                        model = self._save(outcome)
                    self._finish(lease, outcome, model)
                    stored = True
                except (StoreUnavailable, StorageFull) as error:
                    self._log.warning("outcome_not_stored", error=str(error))
                    time.sleep(RETRY_SECONDS)
        finally:
            if model is not None and not self._kept(stored):
                self._artifacts.discard(model.file)

    def _finish(
        self, lease: Lease, outcome: Finished | Failure | Cancelled | Drained, model: SavedModel | None
    ) -> None:
        number = self._batch.number
        self._store_batch(lease)
        if self._batch.number == number:
            raise StoreUnavailable("the last batch is not stored yet")
        claims = self._store.claims
        match outcome:
            case Finished() if model is not None:
                state = claims.finish(self._claim, model, plain(outcome.result), stop_reason=outcome.stop_reason)
                self._log.info("job_ended", state=str(state), stop_reason=outcome.stop_reason)
            case Failure():
                claims.fail(self._claim, outcome)
                self._log.info("job_ended", state="failed", code=outcome.code)
            case Cancelled():
                claims.cancelled(self._claim)
                self._log.info("job_ended", state="cancelled")
            case Drained():
                claims.release(self._claim, "worker_shutdown")
                self._log.info("job_released")

    def _save(self, outcome: Finished) -> SavedModel:
        file = f"models/{self._claim.job_id}/{self._claim.attempt}.safetensors"
        with self._artifacts.unfinished() as path:
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
