"""The way down: what mini-batches do to the parameters, and the memory that this takes.

`Descent.run` takes many steps at once, by the kernels where these know every part of the network. The step itself,
formula by formula, is `Descent.plain_step`, which the kernels are held against.
"""

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.denormals import flushed_denormals
from engine.evaluation import Workspaces
from engine.examples import Examples
from engine.inputs import Batch, Matrix
from engine.layer import Cache, Mode, Pass
from engine.layer_statistics import LayerStatistics, measure_layers
from engine.network import Network
from engine.parameters import Array, Arrays, Parameters
from engine.random_streams import RandomStreams
from engine.regularization import clip_by_norm, clip_by_value
from engine.spec import JobSpec
from engine.variation import Variation

if TYPE_CHECKING:
    from engine.kernels import Team

PORTION_SECONDS = 0.1  # of steps between two yields, and of a first step as far as is known
COST, LOSS, CORRECT, STEP = 0, 1, 2, slice(3, 6)  # of `sums`


class Step(NamedTuple):
    """What a batch was worth before its update."""

    cost: float  # J, penalty included
    loss: float  # without the penalty
    correct: int  # right answers, where the target is a class


class Descent:
    """θ, its gradient and the optimizer's slots; every step overwrites them and allocates nothing.

    θ, the running averages, the slots and the number of steps are all that later steps depend on.
    """

    def __init__(
        self,
        network: Network,
        spec: JobSpec,
        parameters: Parameters,
        train: Examples,
        workspaces: Workspaces,
        streams: RandomStreams,
        varied: Variation | None,
    ) -> None:
        # Numba is slow to load, and only those who train need it.
        from engine.kernels import EVERY_ROW, Answers, Inputs, Program, Team, can_run, worthwhile_threads

        self.network, self.spec, self.parameters = network, spec, parameters
        self.train, self.workspaces, self.streams, self.varied = train, workspaces, streams, varied
        theta = parameters.theta
        self.gradient = network.gradient(theta.dtype)
        # Not zeros_like, which touches what it makes: kernels leave `work` alone, and then it takes no memory.
        self.slots = Arrays(**{letter: np.zeros(theta.size, theta.dtype) for letter in spec.optimizer.slots})
        self.work = Arrays(a=np.zeros(theta.size, theta.dtype), b=np.zeros(theta.size, theta.dtype))
        self.before = np.zeros(theta.size, theta.dtype)  # θ before a step that is measured
        self.measured: list[LayerStatistics] = []  # by the last step that was
        self.sums = np.zeros(8)  # of a single step
        self.seconds = PORTION_SECONDS  # that a step takes, as the last ones did
        self.team: Team | None = None
        if can_run(network, spec, streams, theta.dtype):
            wanted = spec.training.batch_size
            m = len(train) if wanted == "full" else min(wanted, len(train))
            program = Program(network, spec, m, theta.dtype, worthwhile_threads(network, m))
            self.team = Team(program, parameters, self.gradient, self.slots, train, streams)
            self.inputs_of, self.answers_of, self.every_row = Inputs, Answers, EVERY_ROW

    def run(
        self,
        portion: Batch,
        size: int,
        rate: Callable[[int], float],
        t: int,
        sums: NDArray[np.float64],
        *,
        seconds: float = PORTION_SECONDS,
        measure: bool = False,
    ) -> Iterator[int]:
        """Take steps t, t + 1, … over a portion in batches of `size`; yields every few `seconds` how many it took.

        rate(t) is α of step t. `sums` gains Σ cost·m, Σ loss·m and the right answers, and then holds the last step's
        cost, loss and right answers; a step whose cost is not finite is the last one. With `measure` the portion's
        last step leaves the layers' statistics behind.
        """
        start, steps = 0, -(-portion.size // size)
        while steps > 0:
            count = max(1, min(steps - measure, int(seconds / self.seconds)))
            end = min(start + count * size, portion.size)
            rates = np.array([rate(t + number) for number in range(count)])
            began = perf_counter()
            taken = self._steps(portion.part(start, end), size, rates, t, sums, measure=measure and count == steps)
            # Eight times as many at most: a first step, which touches new memory, is no measure of the others.
            self.seconds = max((perf_counter() - began) / taken, self.seconds / 8)
            start, steps, t = end, steps - taken, t + taken
            yield taken
            if not np.isfinite(sums[STEP][COST]):
                return

    def settle(self, sums: NDArray[np.float64]) -> int:
        """How many steps were taken behind one whose cost is not finite; here none, and the sums are known at once."""
        return 0

    def fetch(self, *, slots: bool = False) -> None:
        """Bring parameters and slots up to date, where a device has newer ones; here they are."""

    def logits(self, examples: Examples, parameters: Parameters) -> Array | None:
        """What a device answers to a set of examples; None where there is none to ask."""
        return None

    def step(self, batch: Batch, rate: float, t: int, *, measure: bool = False) -> Step:
        """Move θ by step t, counted from 1; a measured step leaves the layers' statistics behind."""
        self._steps(batch, batch.size, np.array([rate]), t, self.sums, measure=measure)
        cost, loss, correct = self.sums[STEP]
        return Step(float(cost), float(loss), int(correct))

    def _steps(
        self,
        portion: Batch,
        size: int,
        rates: NDArray[np.float64],
        t: int,
        sums: NDArray[np.float64],
        *,
        measure: bool,
    ) -> int:
        """Steps t, t + 1, …, with these rates; how many were taken. Only a single step is measured."""
        if self.team is None or size > self.team.program.m:
            for number, batch in enumerate(portion.batches(size)):
                taken = self.plain_step(batch, rates[number], t + number, measure=measure)
                sums[:3] += taken.cost * batch.size, taken.loss * batch.size, taken.correct
                sums[STEP] = taken
                if not np.isfinite(taken.cost):
                    break
            return number + 1
        if measure:
            np.copyto(self.before, self.parameters.theta)
        rows, X, inputs = portion.rows, portion.X, self.train.inputs
        if self.varied is not None and self.varied.augmenter.varies_inputs and portion.epoch is not None:
            return self._mixed_steps(self.team, self.varied, portion, size, rates, t, sums, measure=measure)
        if X is not None or not isinstance(inputs, Matrix):
            if X is None:
                X = inputs.load(rows, self.workspaces.of(portion.size).X)
            numbers = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
            first, source = 0, self.inputs_of(X, False, numbers)
        elif isinstance(rows, slice):
            first, source = rows.start, self.inputs_of(inputs.x, False, self.every_row)
        else:
            first, source = 0, self.inputs_of(inputs.x, True, rows)
        count = self.team.run(source, first, portion.size, size, rates, t, sums, whole=measure)
        if measure:
            self._measure(self.team.program.caches(portion.size))
        return count

    def _measure(self, caches: Sequence[Cache]) -> None:
        self.measured = measure_layers(self.network, self.parameters, self.before, self.gradient, caches)

    def _mixed_steps(
        self,
        team: "Team",
        varied: Variation,
        portion: Batch,
        size: int,
        rates: NDArray[np.float64],
        t: int,
        sums: NDArray[np.float64],
        *,
        measure: bool,
    ) -> int:
        """Steps whose inputs and targets are varied together first, by the plain formulas."""
        for number, batch in enumerate(portion.batches(size)):
            workspace = self.workspaces.of(batch.size)
            X = self.train.load(batch.rows, workspace, batch.X)
            if portion.epoch is not None and not isinstance(batch.rows, slice):
                varied.mix(X, workspace.Y, batch.rows, portion.epoch, workspace.w)
            labels = workspace.labels if self.train.by_class else self.every_row
            weights = team.answers.weights[:0] if workspace.w is None else workspace.w.reshape(-1)
            source = self.inputs_of(X, False, self.every_row, self.answers_of(labels, workspace.Y, weights))
            team.run(source, 0, batch.size, size, rates[number:], t + number, sums, whole=measure)
            if measure:
                self._measure(team.program.caches(batch.size))
            if not np.isfinite(sums[STEP][COST]):
                break
        return number + 1

    @flushed_denormals()
    @np.errstate(all="ignore")  # a cost that is not finite ends the run by name, not by warnings
    def plain_step(self, batch: Batch, rate: float, t: int, *, measure: bool = False) -> Step:
        """One step by the formulas of layers, loss and optimizer, in the order of a textbook."""
        workspace = self.workspaces.of(batch.size)
        X = self.train.load(batch.rows, workspace, batch.X)
        if self.varied is not None and batch.epoch is not None and not isinstance(batch.rows, slice):
            self.varied.mix(X, workspace.Y, batch.rows, batch.epoch, workspace.w)
        run = Pass(Mode.TRAIN, self.streams, t)
        cost = self.network.cost(X, workspace.Y, self.parameters, workspace, run)
        correct = self.train.correct(workspace.layers[-1].Z, workspace) if self.train.by_class else 0
        self.network.backward(workspace.Y, self.parameters, self.gradient, workspace)
        g, training = self.gradient.vector, self.spec.training
        if training.clip_value is not None:
            clip_by_value(g, training.clip_value)
        if training.clip_norm is not None:
            clip_by_norm(g, training.clip_norm, self.work)
        theta, optimizer = self.parameters.theta, self.spec.optimizer
        if measure:
            np.copyto(self.before, theta)
        optimizer.decay(theta[: self.network.layout.weights], rate)
        optimizer.update(theta, g, self.slots, rate, t, self.work)
        if measure:
            self._measure(workspace.layers)
        return Step(cost, workspace.mean_loss, correct)
