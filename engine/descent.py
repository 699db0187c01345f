"""The way down: what one mini-batch does to the parameters, and the memory that this takes."""

from typing import NamedTuple

import numpy as np

from engine.denormals import flushed_denormals
from engine.evaluation import Workspaces
from engine.examples import Examples
from engine.inputs import Batch
from engine.layer import Mode, Pass
from engine.layer_statistics import LayerStatistics, measure_layers
from engine.network import Network
from engine.parameters import Arrays, Parameters
from engine.random_streams import RandomStreams
from engine.regularization import clip_by_norm, clip_by_value
from engine.spec import JobSpec
from engine.variation import Variation


class Step(NamedTuple):
    """What a batch was worth before its update."""

    cost: float  # J, penalty included
    loss: float  # without the penalty
    correct: int  # right answers, where the target is a class


class Descent:
    """θ, its gradient and the optimizer's slots; every step overwrites them and allocates nothing."""

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
        self.network, self.spec, self.parameters = network, spec, parameters
        self.train, self.workspaces, self.streams, self.varied = train, workspaces, streams, varied
        theta = parameters.theta
        self.gradient = network.gradient(theta.dtype)
        self.slots = Arrays(**{letter: np.zeros_like(theta) for letter in spec.optimizer.slots})
        self.work = Arrays(a=np.zeros_like(theta), b=np.zeros_like(theta))
        self.before = np.zeros_like(theta)  # θ before a step that is measured
        self.measured: list[LayerStatistics] = []  # by the last step that was

    @flushed_denormals()
    @np.errstate(all="ignore")  # a cost that is not finite ends the run by name, not by warnings
    def step(self, batch: Batch, rate: float, t: int, *, measure: bool = False) -> Step:
        """Move θ by step t, counted from 1; a measured step leaves the layers' statistics behind."""
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
            self.measured = measure_layers(self.network, self.parameters, self.before, self.gradient, workspace)
        return Step(cost, workspace.mean_loss, correct)
