"""The training loop: a generator of events, so that whoever iterates decides what to do and when to stop."""

from collections.abc import Generator, Iterator, Mapping
from functools import partial
from time import perf_counter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.data.holding import Holding
from engine.data.preparation import PreparedData, resolved_columns
from engine.descent import COST, STEP, Descent
from engine.errors import Diverged, SpecError
from engine.evaluation import Evaluation, Workspaces
from engine.events import (
    DataHeld,
    EpochEnded,
    Event,
    Finished,
    GradientsChecked,
    LayersMeasured,
    Progressed,
    Started,
    Stop,
    Warned,
)
from engine.examples import Examples, examples_of
from engine.gradient_check import check_gradients
from engine.initializers import Given
from engine.inputs import Batch
from engine.layers import BatchNorm
from engine.metrics import EVERY_EPOCH, METRICS, RISING
from engine.model import Model
from engine.network import Network
from engine.parameters import Parameters
from engine.random_streams import RandomStreams
from engine.spec import JobSpec
from engine.symptoms import Watch
from engine.variation import Variation

TICK_SECONDS = 0.25
MEASUREMENTS = 1000  # of the layers, over a whole run: long runs are measured every few epochs


def train(
    network: Network,
    spec: JobSpec,
    data: PreparedData,
    *,
    given: Mapping[str, NDArray[np.generic]] | None = None,
    streams: RandomStreams | None = None,
) -> Generator[Event, Stop | None, None]:
    """Train a network and tell of it event by event; answer an event with Stop to end the run, model kept.

    `given` holds the initial parameters by name, for the initializer of that type; `streams` replaces the
    random numbers of the spec's seed. Raises SpecError where spec and data do not fit, ShapeMismatch where the
    given parameters do not, Diverged when the cost stops being finite.
    """
    run = Run(network, spec, data, given, streams or RandomStreams(spec.seed))
    stop = yield Started(network.parameter_count, run.sizes, run.steps_per_epoch, spec.training.epochs)
    stop = (yield run.data_held(data.holding)) or stop
    stop = (yield from run.check("start")) or stop
    for epoch in range(1, spec.training.epochs + 1):
        if stop or run.patience_is_over():
            break
        stop = yield from run.epoch(epoch)
        stop = (yield from run.measurements(epoch)) or stop
        stop = (yield from run.check(epoch)) or stop
    parameters = run.kept()
    yield from run.check("end", parameters)
    reason = stop.reason if stop else "early_stopping" if run.patience_is_over() else "completed"
    plain = spec.model_copy(update={"data": resolved_columns(spec.data, data.preprocessor)})
    model = Model(
        spec=resolved(plain, network, has_dev=run.dev is not None),
        preprocessor=data.preprocessor,
        parameters=parameters,
        network=network,
    )
    yield Finished(model, run.result(parameters, model, reason), reason)


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
    if "dev" not in sizes and (training.early_stopping or training.keep == "best"):
        pointer = "/training/early_stopping" if training.early_stopping else "/training/keep"
        raise SpecError(pointer, "there is no dev set to judge by; give data.split a dev share, or leave this out")
    if training.early_stopping:
        known = ["dev_cost", *(f"dev_{name}" for name in METRICS[network.target.kind])]
        if training.early_stopping.metric not in known:
            raise SpecError(
                "/training/early_stopping/metric",
                f"{training.early_stopping.metric!r} is not a metric of this task; it has {', '.join(known)}",
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

    Raises SpecError where parameters should be given and are not, ShapeMismatch where they do not fit.
    """
    generator = (streams or RandomStreams(spec.seed)).initial()
    parameters = network.initialized(spec.initializer, generator, spec.precision)
    if isinstance(spec.initializer, Given):
        if given is None:
            raise SpecError("/initializer/parameters", "the given parameters were not handed to the training")
        parameters.load(given)
    return parameters


class Run:
    """The state of one training run."""

    def __init__(
        self,
        network: Network,
        spec: JobSpec,
        data: PreparedData,
        given: Mapping[str, NDArray[np.generic]] | None,
        streams: RandomStreams,
    ) -> None:
        self.network, self.spec, self.streams = network, spec, streams
        dtype = np.dtype(spec.precision)
        augment = spec.data.augment
        self.varied = Variation(augment, data.preprocessor, spec.seed) if augment else None
        self.sets = {
            part: examples_of(part, network, data, dtype, self.varied if part == "train" else None) for part in data.y
        }
        self.train, self.dev = self.sets["train"], self.sets.get("dev")
        self.sizes = {part: len(examples) for part, examples in self.sets.items()}
        check_training(spec, network, self.sizes)
        wanted = spec.training.batch_size
        self.batch_size = len(self.train) if wanted == "full" else min(wanted, len(self.train))
        self.steps_per_epoch = -(-len(self.train) // self.batch_size)
        self.shuffled = spec.training.shuffle and self.batch_size < len(self.train)

        self.parameters = initial_parameters(network, spec, given, streams)
        self.workspaces = Workspaces(network, dtype)
        self.descent = Descent(network, spec, self.parameters, self.train, self.workspaces, streams, self.varied)
        self.measure_every = -(-spec.training.epochs // MEASUREMENTS)
        self.watch = Watch()
        self.step = 0  # mini-batches so far
        self.epochs_done = 0
        self.epoch_cost = 0.0

        stopping = spec.training.early_stopping
        self.watched = stopping.metric if stopping else "dev_cost"
        self.keep = which_model(spec, has_dev=self.dev is not None)
        self.best = self.parameters.copy() if self.keep == "best" else None
        self.best_value: float | None = None
        self.best_epoch = 0
        self.reference: float | None = None  # the value that early stopping wants to see beaten by min_delta
        self.stale = 0  # epochs since it was

    def data_held(self, holding: Holding) -> DataHeld:
        """How the examples are held, and in what order the training rows come."""
        order = "as_stored" if not self.shuffled else "blockwise" if holding.held == "file" else "shuffled"
        return DataHeld(holding.held, holding.bytes, holding.rows, order)

    # -- an epoch -----------------------------------------------------------------------------------------------

    def epoch(self, epoch: int) -> Generator[Event, Stop | None, Stop | None]:
        """One pass over the training set, and its row of metrics."""
        started = ticked = perf_counter()
        sums = np.zeros(8)
        stop: Stop | None = None
        for portion in self.portions(epoch):
            last = self.step + -(-portion.size // self.batch_size) == epoch * self.steps_per_epoch
            measure = last and (epoch % self.measure_every == 0 or epoch == 1)
            rate = partial(self.rate, epoch)
            steps = self.descent.run(
                portion, self.batch_size, rate, self.step + 1, sums, seconds=TICK_SECONDS / 2, measure=measure
            )
            for taken in steps:
                self.step += taken
                if not np.isfinite(sums[STEP][COST]):
                    raise Diverged(epoch, self.step)
                if perf_counter() - ticked > TICK_SECONDS:
                    stop = (yield Progressed(epoch, self.step)) or stop
                    ticked = perf_counter()
                    if stop:
                        break
            if stop:
                break
        if stop:  # in mid-epoch: no row, since none of it would mean what the others mean
            return stop
        cost, loss, correct = sums[:3].tolist()
        self.epochs_done, self.epoch_cost = epoch, cost / len(self.train)
        row = self.row(epoch, self.rate(epoch, self.step), cost, loss, correct)
        row["seconds"] = perf_counter() - started
        return (yield EpochEnded(row)) or stop

    def rate(self, epoch: int, step: int) -> float:
        """The learning rate of a step, counted from 1."""
        alpha, epochs = self.spec.optimizer.learning_rate, self.spec.training.epochs
        return self.spec.schedule.rate(alpha, epoch - 1, step - 1, epochs, self.steps_per_epoch)

    def portions(self, epoch: int) -> Iterator[Batch]:
        """The mini-batches of an epoch, many at a time; the last may be short. A full batch keeps its order."""
        streams = self.streams if self.shuffled else None
        return self.train.portions(self.batch_size, epoch=epoch, streams=streams)

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
        evaluation = Evaluation(self.network, self.parameters, dev, self.workspaces)
        names = {*EVERY_EPOCH[self.network.target.kind], self.watched.removeprefix("dev_")}
        metrics = {"cost": evaluation.cost, **evaluation.metrics(sorted(names))}
        row: dict[str, float | int | None] = {
            f"dev_{name}": value if value is not None and np.isfinite(value) else None
            for name, value in metrics.items()
        }
        value = row[self.watched]
        sign = -1 if self.watched.removeprefix("dev_") in RISING else 1
        if value is None:
            self.stale += 1
            return row
        if self.best_value is None or sign * value < sign * self.best_value:
            self.best_value, self.best_epoch = value, epoch
            if self.best is not None:
                self.best.take_from(self.parameters)
        stopping = self.spec.training.early_stopping
        needed = stopping.min_delta if stopping else 0.0
        if self.reference is None or sign * value < sign * self.reference - needed:
            self.reference, self.stale = value, 0
        else:
            self.stale += 1
        return row

    def patience_is_over(self) -> bool:
        stopping = self.spec.training.early_stopping
        return stopping is not None and self.stale >= stopping.patience

    # -- beside and after the loop ------------------------------------------------------------------------------

    def measurements(self, epoch: int) -> Generator[Event, Stop | None, Stop | None]:
        """The layers' statistics of this epoch, if they were taken, and what is ill about them."""
        if not (measured := self.descent.measured):
            return None
        stop = yield LayersMeasured(epoch, measured)
        for symptom in self.watch.look(epoch, self.epoch_cost, measured):
            stop = (yield Warned(symptom.code, symptom.message, symptom.epoch)) or stop
        self.descent.measured = []
        return stop

    def check(
        self, at: Literal["start", "end"] | int, parameters: Parameters | None = None
    ) -> Generator[Event, Stop | None, Stop | None]:
        """The gradient check of this moment, where the spec wants one; none of an epoch that was cut short."""
        if at not in self.spec.checks.gradients or (isinstance(at, int) and at != self.epochs_done):
            return None
        return (
            yield GradientsChecked(
                check_gradients(self.network, parameters or self.parameters, self.train, at=at, seed=self.spec.seed)
            )
        )

    def kept(self) -> Parameters:
        return self.best if self.best is not None and self.best_value is not None else self.parameters

    def result(self, parameters: Parameters, model: Model, reason: str) -> dict[str, object]:
        """What the kept model is worth on each set, and how it came about."""
        reports: dict[str, object] = {
            part: Evaluation(self.network, parameters, examples, self.workspaces).report()
            for part, examples in self.sets.items()
        }
        return reports | {
            "epoch": self.best_epoch if parameters is self.best else self.epochs_done,
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
