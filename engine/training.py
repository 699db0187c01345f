"""The training loop: a generator of events, so that whoever iterates decides what to do and when to stop."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.checkpoint import Checkpoint, Judgment, Span, Tally
from engine.data.holding import Holding
from engine.data.preparation import PreparedData, resolved_columns
from engine.descent import COST, STEP, Descent
from engine.devices import CPU, Placement, placed
from engine.errors import CheckpointMismatch, Diverged, ShapeMismatch, SpecError
from engine.evaluation import Evaluation, Workspaces
from engine.events import (
    Change,
    Changed,
    ChangeRefused,
    CheckpointMade,
    Control,
    DataHeld,
    EpochEnded,
    Event,
    Finished,
    GradientsChecked,
    LayersMeasured,
    Progress,
    Progressed,
    Resumed,
    Save,
    Started,
    Stop,
    Transferred,
    Warned,
)
from engine.examples import Examples, examples_of
from engine.gradient_check import check_gradients
from engine.hyperparameters import changes as changed_fields
from engine.initializers import Given
from engine.inputs import Batch
from engine.layers import BatchNorm
from engine.metrics import EVERY_EPOCH, METRICS, RISING
from engine.model import Model
from engine.network import Network
from engine.parameters import Array, Parameters
from engine.random_streams import RandomStreams
from engine.serving import refusal_of_threshold
from engine.spec import JobSpec
from engine.spelling import nearest
from engine.symptoms import Watch
from engine.transfer import Source, transfer
from engine.variation import Variation

if TYPE_CHECKING:
    from engine.gpu.descent import DeviceDescent
    from engine.gpu.device import Device

Parts: TypeAlias = tuple[Network, JobSpec, Parameters, Examples, Workspaces, RandomStreams, Variation | None]
"""What every kind of descent is made of."""

TICK_SECONDS = 0.25
MEASUREMENTS = 1000  # of the layers, over a whole run: long runs are measured every few epochs


def train(
    network: Network,
    spec: JobSpec,
    data: PreparedData,
    *,
    given: Mapping[str, NDArray[np.generic]] | None = None,
    source: Source | None = None,
    streams: RandomStreams | None = None,
    resume_from: Checkpoint | None = None,
    changes: Sequence[Change] = (),
    breathe: Callable[[], None] | None = None,
    placement: Placement | None = None,
) -> Generator[Event, Control | None, None]:
    """Train a network and tell of it event by event; answer an event with a control to steer the run.

    Stop ends it and keeps its model, Save asks for a checkpoint, Change for other hyper-parameters.
    `given` holds the initial parameters by name, for the initializer of that type, and `source` is the other run
    where the spec has `start_from`, whose scales the data have kept; `streams` replaces the random numbers of the
    spec's seed. With `resume_from` the run goes on where the checkpoint was made, needs neither of the two, and ends
    with the bits of a run that never stopped; what had changed by then stays changed. `changes` are known
    beforehand. `breathe` is called now and then in work between two events, and what it raises ends the run.
    `placement` says on which device; by itself it is what the spec asks for.

    Raises SpecError where spec and data do not fit, ShapeMismatch where the given parameters do not,
    CheckpointMismatch where the checkpoint is of another run, Diverged when the cost stops being finite,
    DeviceUnavailable where the spec wants a GPU and there is none, OutOfMemory where the run does not fit into its.
    """
    streams = streams or RandomStreams(spec.seed)
    if resume_from is not None:
        spec = resumed_spec(spec, resume_from)
        network = network.with_changes(spec)
    placement = placement or placed(network, spec, streams)
    resumed = resume_from is not None
    run = Run(network, spec, data, given, source, streams, breathe or _nothing, resumed=resumed, placement=placement)
    run.changes += changes
    if resume_from is not None:
        run.restore(resume_from)
        yield from run.tell(Resumed(run.epochs_done, run.step, run.tally.examples, run.revision))
    else:
        yield from run.tell(
            Started(
                network.parameter_count,
                run.sizes,
                run.steps_per_epoch,
                spec.training.epochs,
                placement.name,
                placement.because,
            )
        )
        if run.transferred is not None:
            yield from run.tell(run.transferred)
    yield from run.tell(run.data_held(data.holding))
    if resume_from is None:
        yield from run.check("start")
    while (yield from run.goes_on()):
        yield from run.epoch()
        yield from run.measurements()
        yield from run.check(run.epochs_done)
    parameters = run.kept()
    yield from run.check("end", parameters)
    reason = run.stop.reason if run.stop else "early_stopping" if run.patience_is_over() else "completed"
    columns = resolved_columns(spec.data, data.preprocessor)
    plain = run.spec.model_copy(update={"data": columns.model_copy(update={"normalize": data.preprocessor.normalizer})})
    model = Model(
        spec=resolved(plain, run.network, has_dev=run.dev is not None),
        preprocessor=data.preprocessor,
        parameters=parameters,
        network=run.network,
    )
    yield Finished(model, run.result(parameters, model, reason), reason)


def resumed_spec(spec: JobSpec, checkpoint: Checkpoint) -> JobSpec:
    """The spec that was in effect at the checkpoint; CheckpointMismatch if it cannot have come from this one."""
    try:
        changed_fields(spec, checkpoint.spec)
    except SpecError as error:
        raise CheckpointMismatch(f"the checkpoint is of another job: {error.pointer} differs") from error
    return checkpoint.spec


def _nothing() -> None:
    """Nobody wants to be called between two events."""


def check_training(spec: JobSpec, network: Network, sizes: Mapping[str, int]) -> None:
    """Raise SpecError for what spec and data, of so many examples a part, rule out only together."""
    training, m = spec.training, sizes["train"]
    size = m if training.batch_size == "full" else training.batch_size
    if leaves_one(m, size) and any(isinstance(layer, BatchNorm) for layer in network.layers):
        fits = next((larger for larger in range(size + 1, m) if not leaves_one(m, larger)), m)
        raise SpecError(
            "/training/batch_size",
            f"batch_norm cannot train on a batch of one example, and with batch_size {size} the last of the {m} "
            f"training examples is alone; choose another batch_size, such as {fits}",
        )
    target, threshold = network.target, spec.serving.threshold
    if threshold is not None and (why := refusal_of_threshold(target.kind, len(target.labels))) is not None:
        raise SpecError("/serving/threshold", f"a threshold {why}")
    if "dev" not in sizes and (training.early_stopping or training.keep == "best"):
        pointer = "/training/early_stopping" if training.early_stopping else "/training/keep"
        raise SpecError(pointer, "there is no dev set to judge by; give data.split a dev share, or leave this out")
    if training.early_stopping:
        known = ["dev_cost", *(f"dev_{name}" for name in METRICS[target.kind])]
        if (metric := training.early_stopping.metric) not in known:
            near = nearest(metric, known)
            raise SpecError(
                "/training/early_stopping/metric",
                f"{metric!r} is not a metric of this task; it has {', '.join(known)}"
                + (f". Did you mean {near!r}?" if near else ""),
            )


def leaves_one(m: int, size: int) -> bool:
    """Whether the last batch of an epoch over m examples is a single one."""
    return m % size == 1 or size == 1


def initial_parameters(
    network: Network,
    spec: JobSpec,
    given: Mapping[str, NDArray[np.generic]] | None = None,
    streams: RandomStreams | None = None,
) -> Parameters:
    """The parameters that a run of the spec begins with: drawn by its seed, or the given ones.

    Of another job that the spec starts from, `transfer` takes them afterwards. Raises SpecError where parameters
    should be given and are not, ShapeMismatch where they do not fit.
    """
    generator = (streams or RandomStreams(spec.seed)).initial()
    parameters = network.initialized(spec.initializer, generator, spec.precision)
    if isinstance(spec.initializer, Given) and spec.start_from is None:
        if given is None:
            raise SpecError("/initializer/parameters", "the given parameters were not handed to the training")
        parameters.load(given)
    return parameters


class Run:
    """The state of one training run."""

    descent: "Descent | DeviceDescent"

    def __init__(
        self,
        network: Network,
        spec: JobSpec,
        data: PreparedData,
        given: Mapping[str, NDArray[np.generic]] | None,
        source: Source | None,
        streams: RandomStreams,
        breathe: Callable[[], None] = _nothing,
        *,
        resumed: bool = False,
        placement: Placement = CPU,
    ) -> None:
        self.network, self.spec, self.streams, self.breathe = network, spec, streams, breathe
        self.preprocessor = data.preprocessor
        self.device = placement.device
        self.dtype = np.dtype(spec.precision)
        augment = spec.data.augment
        self.varied = Variation(augment, data.preprocessor, spec.seed) if augment else None
        self.marks = data.marks
        self.sets = {
            part: examples_of(part, network, data, self.dtype, self.varied if part == "train" else None)
            for part in data.y
        }
        self.train, self.dev = self.sets["train"], self.sets.get("dev")
        self.sizes = {part: len(examples) for part, examples in self.sets.items()}
        check_training(spec, network, self.sizes)
        self.in_file = data.holding.held == "file"

        self.transferred: Transferred | None = None
        if resumed:  # a checkpoint brings its own
            self.parameters = network.parameters(spec.precision)
        else:
            self.parameters = initial_parameters(network, spec, given, streams)
            if spec.start_from is not None:
                if source is None:
                    raise SpecError("/start_from", "the other job's parameters were not handed to the training")
                self.transferred = transfer(source, data.preprocessor, self.parameters)
        self.descend(None)
        self.watch = Watch()
        self.revision = 0
        self.step = 0  # mini-batches so far
        self.epochs_done = 0
        self.epoch_cost = 0.0
        self.tally = Tally()
        self.span = Span()

        stopping = spec.training.early_stopping
        self.watched = stopping.metric if stopping else "dev_cost"
        self.keep = which_model(spec, has_dev=self.dev is not None)
        self.best = self.parameters.copy() if self.keep == "best" else None
        self.judgment = Judgment()

        self.stop: Stop | None = None
        self.save_wanted = False
        self.changes: list[Change] = []

    def descend(self, slots: Mapping[str, Array] | None) -> None:
        """Make what a step needs, for the spec as it now is, with the slots of the steps before."""
        training = self.spec.training
        m, wanted = len(self.train), training.batch_size
        self.batch_size = m if wanted == "full" else min(wanted, m)
        self.steps_per_epoch = -(-m // self.batch_size)
        self.shuffled = training.shuffle and self.batch_size < m
        self.measure_every = -(-training.epochs // MEASUREMENTS)
        self.workspaces = Workspaces(self.network, self.dtype)
        if slots is not None:
            del self.descent  # what it has on a device, before there is to be room for another
        parts = self.network, self.spec, self.parameters, self.train, self.workspaces, self.streams, self.varied
        self.descent = Descent(*parts) if self.device is None else self._descent_on(self.device, *parts)
        for letter, slot in (slots or {}).items():
            np.copyto(getattr(self.descent.slots, letter), slot)

    def _descent_on(self, device: "Device", *parts: *Parts) -> "DeviceDescent":
        from engine.gpu.descent import DeviceDescent  # kernels: loaded by those who need them

        return DeviceDescent(device, *parts)

    @property
    def order(self) -> str:
        """In what order the training rows come."""
        return "as_stored" if not self.shuffled else "blockwise" if self.in_file else "shuffled"

    def data_held(self, holding: Holding) -> DataHeld:
        """How the examples are held, and in what order the training rows come."""
        return DataHeld(holding.held, holding.bytes, holding.rows, self.order)

    # -- controls -----------------------------------------------------------------------------------------------

    def tell(self, event: Event) -> Generator[Event, Control | None, None]:
        """Yield an event, and note what is answered."""
        match (yield event):
            case Stop() as stop:
                self.stop = stop
            case Save():
                self.save_wanted = True
            case Change() as change:
                self.changes.append(change)

    def goes_on(self) -> Generator[Event, Control | None, bool]:
        """Between two epochs, where nothing is half done: save and change what is wanted; whether one more is due."""
        yield from self.saved()
        epoch = self.epochs_done + 1
        while not self.stop and self.tally.examples == 0:
            due = [change for change in self.changes if (change.epoch or epoch) <= epoch]
            if not due:
                break
            change = min(due, key=lambda one: one.revision)
            self.changes.remove(change)
            if change.revision > self.revision:
                yield from self.changed(change)
        return not self.stop and self.epochs_done < self.spec.training.epochs and not self.patience_is_over()

    def saved(self) -> Generator[Event, Control | None, None]:
        """The checkpoint, if one is wanted."""
        if self.save_wanted and not self.stop:
            self.save_wanted = False
            yield from self.tell(CheckpointMade(self.checkpoint()))

    def changed(self, change: Change) -> Generator[Event, Control | None, None]:
        """Put new hyper-parameters into effect; the parameters and slots stay."""
        epoch = self.epochs_done + 1
        try:
            fields = changed_fields(self.spec, change.spec)
            check_training(change.spec, self.network, self.sizes)
        except SpecError as error:
            yield from self.tell(ChangeRefused(epoch, change.revision, error.pointer, error.detail))
            return
        checkpoint, slots = self.checkpoint(), vars(self.descent.slots)
        self.spec, self.revision = change.spec, change.revision
        self.network = self.network.with_changes(change.spec)
        self.span = Span(self.epochs_done, self.step)
        self.descend(slots)
        yield from self.tell(Changed(epoch, change.revision, fields, checkpoint))

    def checkpoint(self) -> Checkpoint:
        """All that a run needs to go on from here; its arrays are this run's own."""
        self.descent.fetch(slots=True)
        return Checkpoint(
            spec=self.spec,
            revision=self.revision,
            epoch=self.epochs_done,
            step=self.step,
            m=len(self.train),
            order=self.order,
            parameters=self.parameters.named(),
            slots=dict(vars(self.descent.slots)),
            preprocessor=self.preprocessor,
            best=None if self.best is None else self.best.named(),
            tally=replace(self.tally),
            judgment=replace(self.judgment),
            span=replace(self.span),
            watch=self.watch.to_json(),
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of this very run; CheckpointMismatch where it is of another."""
        checkpoint.refuse_unless_of(len(self.train), self.order, self.spec.optimizer.slots)
        try:
            self.parameters.load(checkpoint.parameters)
            if self.best is not None:
                self.best.load(checkpoint.best or checkpoint.parameters)
        except ShapeMismatch as error:
            raise CheckpointMismatch(f"the checkpoint is of another network: {error}") from error
        for letter, slot in checkpoint.slots.items():
            np.copyto(getattr(self.descent.slots, letter), slot)
        self.revision, self.step, self.epochs_done = checkpoint.revision, checkpoint.step, checkpoint.epoch
        self.tally, self.judgment = replace(checkpoint.tally), replace(checkpoint.judgment)
        self.span, self.watch = replace(checkpoint.span), Watch.from_json(checkpoint.watch)

    def progress(self) -> Progress:
        """How far the run has come."""
        m, training = len(self.train), self.spec.training
        done = self.epochs_done + self.tally.examples / m
        stopping = training.early_stopping
        return Progress(
            epoch=self.epochs_done,
            epochs=training.epochs,
            step=self.step,
            steps=self.steps,
            examples=self.epochs_done * m + self.tally.examples,
            fraction=min(1.0, done / training.epochs),
            epochs_since_best=self.judgment.stale if stopping else None,
            patience=stopping.patience if stopping else None,
        )

    # -- an epoch -----------------------------------------------------------------------------------------------

    @property
    def steps(self) -> int:
        """Mini-batches of the whole run, if nothing stops it early."""
        return self.span.steps + (self.spec.training.epochs - self.span.epochs) * self.steps_per_epoch

    def rate(self, epoch: int, step: int) -> float:
        """α of a step, counted from 1."""
        schedule, rate = self.spec.schedule, self.spec.optimizer.learning_rate
        if schedule.per == "step":  # a run in which the batch size changed has epochs of different lengths
            return schedule.rate(rate, epoch - 1, step - 1, self.steps, 1)
        return schedule.rate(rate, epoch - 1, step - 1, self.spec.training.epochs, self.steps_per_epoch)

    def epoch(self) -> Generator[Event, Control | None, None]:
        """One pass over the training set, or what a checkpoint has left of it, and its row of metrics."""
        tally, m, epoch = self.tally, len(self.train), self.epochs_done + 1
        ticked = perf_counter()
        started = ticked - tally.seconds
        sums = np.zeros(8)
        sums[:3] = tally.cost, tally.loss, tally.correct
        for portion in self.portions(epoch, tally.examples):
            end = tally.examples + portion.size
            measure = end == m and (epoch % self.measure_every == 0 or epoch == 1)
            rate = partial(self.rate, epoch)
            for taken in self.descent.run(
                portion, self.batch_size, rate, self.step + 1, sums, seconds=TICK_SECONDS / 2, measure=measure
            ):
                self.step += taken
                tally.examples = min(tally.examples + taken * self.batch_size, end)
                due = perf_counter() - ticked > TICK_SECONDS
                if tally.examples == m or due or self.save_wanted:
                    self.step -= self.descent.settle(sums)
                if not np.isfinite(sums[STEP][COST]):
                    raise Diverged(epoch, self.step)
                tally.cost, tally.loss, tally.correct = float(sums[0]), float(sums[1]), int(sums[2])
                if tally.examples == m:
                    break
                if due:
                    yield from self.tell(Progressed(epoch, self.step, self.progress()))
                    ticked = perf_counter()
                    if self.stop:  # in mid-epoch: no row, since none of it would mean what the others mean
                        return
                if self.save_wanted:
                    tally.seconds = perf_counter() - started
                    yield from self.saved()
                    if self.stop:
                        return
        self.tally = Tally()
        self.epochs_done, self.epoch_cost = epoch, tally.cost / m
        row = self.row(epoch, self.rate(epoch, self.step), tally.cost, tally.loss, tally.correct)
        row["seconds"] = perf_counter() - started
        yield from self.tell(EpochEnded(row, self.progress()))

    def portions(self, epoch: int, skip: int = 0) -> Iterator[Batch]:
        """The mini-batches of an epoch behind its first `skip` examples, many at a time; the last may be short.

        A full batch keeps its order.
        """
        streams = self.streams if self.shuffled else None
        return self.train.portions(self.batch_size, epoch=epoch, streams=streams, skip=skip)

    def row(self, epoch: int, rate: float, cost: float, loss: float, correct: float) -> dict[str, float | int | None]:
        """The metrics of an epoch.

        Those of train are example-weighted means over its batches, as each was before its update: cheap, and
        with a full batch the textbook's at iteration epoch − 1. Those of dev are measured after the epoch.
        """
        m = len(self.train)
        row: dict[str, float | int | None] = {
            "epoch": epoch,
            "step": self.step,
            "learning_rate": rate,
            "train_cost": cost / m,
        }
        if self.train.by_class:
            row |= {"train_accuracy": correct / m, "train_error": 1 - correct / m}
        elif self.network.target.kind == "values":
            row["train_rmse"] = float(np.sqrt(loss / m))
        if self.dev is not None:
            row |= self.judge(epoch, self.dev)
        return row

    # -- the dev set decides ------------------------------------------------------------------------------------

    def judge(self, epoch: int, dev: Examples) -> dict[str, float | int | None]:
        """Measure on dev, remember the best parameters, count the epochs without an improvement."""
        logits = self.descent.logits(dev, self.parameters)
        evaluation = Evaluation(self.network, self.parameters, dev, self.workspaces, logits)
        names = {*EVERY_EPOCH[self.network.target.kind], self.watched.removeprefix("dev_")}
        metrics = {"cost": evaluation.cost, **evaluation.metrics(sorted(names))}
        row: dict[str, float | int | None] = {
            f"dev_{name}": value if value is not None and np.isfinite(value) else None
            for name, value in metrics.items()
        }
        value = row[self.watched]
        sign = -1 if self.watched.removeprefix("dev_") in RISING else 1
        judgment = self.judgment
        if value is None:
            judgment.stale += 1
            return row
        if judgment.best_value is None or sign * value < sign * judgment.best_value:
            judgment.best_value, judgment.best_epoch = value, epoch
            if self.best is not None:
                self.descent.fetch()
                self.best.take_from(self.parameters)
        stopping = self.spec.training.early_stopping
        needed = stopping.min_delta if stopping else 0.0
        if judgment.reference is None or sign * value < sign * judgment.reference - needed:
            judgment.reference, judgment.stale = value, 0
        else:
            judgment.stale += 1
        return row

    def patience_is_over(self) -> bool:
        stopping = self.spec.training.early_stopping
        return stopping is not None and self.judgment.stale >= stopping.patience

    # -- beside and after the loop ------------------------------------------------------------------------------

    def measurements(self) -> Generator[Event, Control | None, None]:
        """The layers' statistics of the last epoch, if they were taken, and what is ill about them."""
        measured, self.descent.measured = self.descent.measured, []
        if measured:
            yield from self.tell(LayersMeasured(self.epochs_done, measured))
            for symptom in self.watch.look(self.epochs_done, self.epoch_cost, measured):
                yield from self.tell(Warned(symptom.code, symptom.message, symptom.epoch))

    def check(
        self, at: Literal["start", "end"] | int, parameters: Parameters | None = None
    ) -> Generator[Event, Control | None, None]:
        """The gradient check of this moment, where the spec wants one; none of an epoch that was cut short."""
        if at not in self.spec.checks.gradients or (isinstance(at, int) and self.tally.examples):
            return
        self.descent.fetch()
        report = check_gradients(
            self.network,
            parameters or self.parameters,
            self.train,
            at=at,
            seed=self.spec.seed,
            breathe=self.breathe,
        )
        yield from self.tell(GradientsChecked(report))

    def kept(self) -> Parameters:
        """The best parameters, or the last: what the run is for."""
        self.descent.fetch()
        return self.best if self.best is not None and self.judgment.best_value is not None else self.parameters

    def result(self, parameters: Parameters, model: Model, reason: str) -> dict[str, object]:
        """What the kept model is worth on each set, and how it came about."""
        reports: dict[str, object] = {
            part: Evaluation(
                self.network, parameters, examples, self.workspaces, self.descent.logits(examples, parameters)
            ).report()
            | dict(self.marks.get(part, {}))
            for part, examples in self.sets.items()
        }
        return reports | {
            "epoch": self.judgment.best_epoch if parameters is self.best else self.epochs_done,
            "epochs": self.epochs_done,
            "steps": self.step,
            "kept": "best" if parameters is self.best else "last",
            "stop_reason": reason,
            "parameters": self.network.parameter_count,
            "weights_sha256": model.weights_sha256,
        }


def resolved(spec: JobSpec, network: Network, *, has_dev: bool) -> JobSpec:
    """The spec with everything filled in that was left to the data and the network."""
    training = spec.training.model_copy(update={"keep": which_model(spec, has_dev=has_dev)})
    return spec.model_copy(update={"loss": network.loss, "layers": network.layers[:-1], "training": training})


def which_model(spec: JobSpec, *, has_dev: bool) -> Literal["best", "last"]:
    """Which model the run keeps: what the spec says, else the best where there is a dev set to judge by."""
    return spec.training.keep or ("best" if has_dev else "last")
