"""Training a job: the engine's events on one side, the store on the other."""

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar

import structlog
from pydantic import JsonValue

import engine
from engine import (
    Changed,
    ChangeRefused,
    Checkpoint,
    CheckpointMade,
    CheckpointMismatch,
    DataHeld,
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
    Started,
    Transferred,
    Warned,
    placed,
    train,
)
from engine.data import Preprocessor
from worker.datasets.data_checks import DataChecks
from worker.domain.jobs import CheckpointKind, Job
from worker.domain.measurements import LayersMeasured
from worker.domain.work_items import Failure, Status, WorkItem
from worker.errors import StoreError, StoreUnavailable, WorkerError
from worker.jobs.inputs import JobInputs
from worker.models.registry import ModelRegistry
from worker.storage.artifacts import room
from worker.store import TRAIN, NewEvent, SavedModel
from worker.store.models import Registering
from worker.work.checkpoints import Checkpoints
from worker.work.context import Context
from worker.work.controls import Controls
from worker.work.endings import Drained, Paused
from worker.work.environment import differences, environment
from worker.work.json_values import to_json, to_number
from worker.work.kind import Kind, Running
from worker.work.outbox import Outbox
from worker.work.throughput import Throughput

ADVICE = {
    "diverged": (
        "/optimizer/learning_rate",
        "lower the learning rate, normalize the inputs or clip the gradient",
    ),
    "out_of_memory": ("/training/batch_size", "choose a smaller batch, fewer units or a smaller dataset"),
    "timeout": ("/training/epochs", "train fewer epochs, or raise time_limit_seconds or TRAINSHED_MAX_RUNTIME_SECONDS"),
    "storage_full": (None, "free some space in TRAINSHED_DATA_DIR, and submit the job again"),
}


class Train(Kind[Finished]):
    """Trains a job's network, from its newest checkpoint if there is one."""

    name: ClassVar[str] = TRAIN
    what: ClassVar[str] = "job"

    _job: Job
    _outbox: Outbox
    _controls: Controls
    _checkpoints: Checkpoints
    _model: SavedModel

    def __init__(self) -> None:
        self._throughput = Throughput()
        self._metrics: Mapping[str, JsonValue] = {}  # of the last epoch
        self._log = structlog.get_logger("train")

    def seconds_left(self, item: WorkItem, context: Context) -> float:
        """What the attempts before have left of the job's own limit."""
        self._job = context.store.jobs.get(item.id)
        self._log = self._log.bind(job_id=item.id, attempt=item.attempt)
        self._outbox = Outbox(context, self._job.epochs)
        self._controls = Controls(context)
        self._checkpoints = Checkpoints(context.claim, context.store, context.artifacts)
        limit = self._job.spec.get("time_limit_seconds")
        return limit - item.spent_seconds if isinstance(limit, int | float) else math.inf

    def run(self, item: WorkItem, context: Context) -> Running[Finished]:
        self._outbox.flush()
        spec = JobSpec.model_validate(self._job.spec)
        inputs = JobInputs(item.id, spec, context.settings, context.store, context.artifacts)
        datasets = inputs.datasets()
        checkpoint = self._newest()
        data = inputs.prepared(datasets, self._scales(spec, inputs, checkpoint))
        self._heed()
        if checkpoint is None:
            checks = DataChecks(context.store, inputs.library).of_job(spec, datasets, inputs.dataset_ids)
            for event in checks.events():
                self._tell(event)
        network = Network.of(spec, data.preprocessor)
        placement = placed(network, spec)
        self._note_environment(checkpoint, placement, context)
        self._heed()
        while True:
            given = inputs if checkpoint is None else None
            try:
                return (yield from self._train(context, spec, network, data, placement, checkpoint, given))
            except CheckpointMismatch as error:  # of data held otherwise than there, or of an older version
                self._tell_of_damage(str(error))
                self._checkpoints.forget_newest()
                checkpoint = self._newest()

    def _train(
        self,
        context: Context,
        spec: JobSpec,
        network: Network,
        data: PreparedData,
        placement: Placement,
        checkpoint: Checkpoint | None,
        inputs: JobInputs | None,
    ) -> Running[Finished]:
        """Train from the checkpoint, or from the parameters that the inputs give."""
        events = train(
            network,
            spec,
            data,
            given=None if inputs is None else inputs.given(),
            source=None if inputs is None else inputs.source(),
            resume_from=checkpoint,
            changes=self._controls.begin(checkpoint.revision if checkpoint is not None else 0),
            breathe=self._breathe,
            placement=placement,
        )
        answer: engine.Control | None = None
        try:
            while True:
                event = events.send(answer)
                if isinstance(event, Finished):
                    return event
                self._take(event, context)
                if self._outbox.batch.due:
                    self._outbox.flush()
                self._heed()
                yield None
                answer = self._controls.next()
        finally:
            events.close()

    def _take(self, event: Event, context: Context) -> None:
        """Put down what the run says."""
        batch = self._outbox.batch
        batch.stage = "training"
        match event:
            case Started() | DataHeld() | Transferred() | ChangeRefused():
                self._tell(event)
            case Resumed():  # the store has noted it, with the checkpoint's number
                pass
            case Progressed(progress=progress):
                batch.progress = self._throughput.measure(progress)
            case EpochEnded(row=row, progress=progress):
                batch.rows.append({name: to_number(value) for name, value in row.items()})
                batch.ended.append(time.monotonic())
                batch.epoch, batch.epochs = int(row["epoch"] or 0), progress.epochs
                batch.progress = self._throughput.measure(progress)
                self._metrics = to_json(batch.rows[-1])
            case GradientsChecked():
                report = to_json(event.report.model_dump(mode="json"))
                batch.reports.append(report)
                told = {key: report[key] for key in ("at", "difference", "verdict")}
                self._outbox.tell(NewEvent("gradients_checked", told))
            case engine.LayersMeasured(epoch=epoch, layers=layers):
                batch.layers.append(LayersMeasured(epoch, [to_json(layer.to_json()) for layer in layers]))
            case Warned():
                batch.warnings += 1
                self._outbox.tell(NewEvent("warning", to_json(event.to_json())))
            case CheckpointMade(checkpoint=checkpoint):
                self._save_checkpoint(checkpoint, self._controls.saving or "periodic", context)
                self._controls.saving = None
            case Changed(epoch=epoch, revision=revision, checkpoint=checkpoint):
                number = self._save_checkpoint(checkpoint, "control", context)
                self._outbox.apply(revision, epoch, number)
                self._throughput.restart()

    def _save_checkpoint(self, checkpoint: Checkpoint, kind: CheckpointKind, context: Context) -> int | None:
        """Save a checkpoint, and all that was measured before it; its number, None if there is no room for it.

        Without room the training goes on, at the price of losing more with its worker.
        """
        controls = self._controls
        controls.note_saved()
        if not self._outbox.flush():
            controls.unsaved = True
            return None
        try:
            number, signals = self._checkpoints.keep(checkpoint, kind, self._metrics)
        except StoreError as error:
            self._log.warning("checkpoint_not_saved", error=str(error))
            if not controls.unsaved:
                self._outbox.tell(NewEvent("checkpoint_failed", {"code": error.code, "detail": str(error)}))
            controls.unsaved = True
            return None
        if signals is not None:
            context.lease.note_renewal(signals)
        controls.unsaved = False
        if kind == "control" and controls.drained_at is not None:
            raise Drained
        if kind == "control" and context.lease.control == "pause":
            raise Paused
        return number

    def _scales(self, spec: JobSpec, inputs: JobInputs, checkpoint: Checkpoint | None) -> Preprocessor | None:
        """Whose scales the data keep: of a job that goes on from another, its own as they were, else the other's."""
        if spec.start_from is None:
            return None
        if checkpoint is not None:
            return checkpoint.preprocessor
        source = inputs.source()
        return None if source is None else source.preprocessor

    def _newest(self) -> Checkpoint | None:
        checkpoint, complaints = self._checkpoints.newest()
        for complaint in complaints:
            self._tell_of_damage(complaint)
        return checkpoint

    def _tell(self, event: Event) -> None:
        self._outbox.tell(NewEvent(event.type, to_json(event.to_json())))

    def _tell_of_damage(self, what: str) -> None:
        self._log.warning("checkpoint_damaged", error=what)
        self._outbox.tell(NewEvent("checkpoint_damaged", {"detail": what}))

    def _note_environment(self, checkpoint: Checkpoint | None, placement: Placement, context: Context) -> None:
        """Write down where the job trains; a resume elsewhere may end with other last bits, and says so."""
        here, before = environment(placement.name), self._job.environment
        if checkpoint is not None and before is not None and (differing := differences(before, here)):
            message = "resumed where the arithmetic may round otherwise: the last bits may differ from those of one run"
            self._outbox.tell(NewEvent("resumed_elsewhere", {"message": message, "differences": differing}))
        context.store.training_log.note_environment(context.claim, here)

    def _heed(self) -> None:
        self._controls.heed(preparing=self._outbox.batch.stage == "preparing")

    def _breathe(self) -> None:
        """Between two steps of a long check: there is no event at which the run could save."""
        self._heed()
        if self._controls.drained_at is not None:
            raise Drained

    # the end

    def save(self, outcome: Finished, context: Context) -> None:
        file = f"models/{context.claim.item_id}/{context.claim.attempt}.safetensors"
        with context.artifacts.unfinished() as path:
            with room():
                outcome.model.save(path)
            sha256 = context.artifacts.keep(path, file)
        self._model = SavedModel(file, sha256, outcome.model.weights_sha256)

    def flush(self, context: Context) -> None:
        self._outbox.batch.stage = "saving"
        if not self._outbox.flush():
            raise StoreUnavailable("the last batch is not stored yet")

    def complete(self, outcome: Finished, context: Context) -> Status:
        result = to_json(outcome.result)
        return context.store.training_log.finish(
            context.claim,
            self._model,
            result,
            stop_reason=outcome.stop_reason,
            registering=self._registering(result, outcome.stop_reason, context),
        )

    def _registering(self, result: Mapping[str, JsonValue], stop_reason: str, context: Context) -> Registering | None:
        """What makes the model a version of the name that the spec gives, if it does."""
        name = self._job.spec.get("register_as")
        if not isinstance(name, str):
            return None
        job = context.store.jobs.get(context.claim.item_id)
        ended = replace(job, stop_reason=stop_reason, finished_at=datetime.now(UTC))
        registry = ModelRegistry(context.store, context.artifacts, context.settings)
        registering = registry.registering(name, ended, self._model, result)
        registering.keep()  # not inside the transaction
        return registering

    def discard(self, outcome: Finished, context: Context) -> None:
        try:
            kept = context.store.jobs.get(context.claim.item_id).state is Status.SUCCEEDED
        except StoreUnavailable:  # nobody can say: it stays
            return
        except WorkerError:  # deleted
            kept = False
        if not kept:
            context.artifacts.discard(self._model.file)

    def tidy(self, context: Context) -> None:
        self._checkpoints.tidy()

    def advise(self, failure: Failure) -> Failure:
        param, hint = ADVICE.get(failure.code, (None, None))
        return replace(failure, param=failure.param or param, hint=failure.hint or hint)
