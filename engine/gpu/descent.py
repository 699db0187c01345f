"""The way down on a device: θ, its slots and the examples are there, and the host only says what comes next.

Steps are enqueued many at a time, and the next ones while the device is at those before; what they cost is added up
on the device. Nothing waits for it inside an epoch but the host itself, so as not to run ahead of what it tells.
"""

from collections.abc import Callable, Iterator
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from engine.descent import PORTION_SECONDS
from engine.evaluation import Workspaces
from engine.examples import Examples
from engine.gpu import loss, update
from engine.gpu.activation import NUMBERS
from engine.gpu.device import Device
from engine.gpu.feed import Feed, Held, Pair, fits, staged_rows
from engine.gpu.forward import Forward
from engine.gpu.step import State, Step
from engine.gpu.totals import TAKEN
from engine.inputs import Batch, Matrix
from engine.layer import Cache
from engine.layer_statistics import LayerStatistics, measure_layers
from engine.layers import BatchNorm, Dense, Dropout
from engine.network import Network
from engine.parameters import Array, Arrays, Parameters
from engine.random_streams import RandomStreams
from engine.spec import JobSpec
from engine.variation import Variation

MOST = 4096  # steps that are prepared at a time


class DeviceDescent:
    """The steps of `Descent` on a device.

    `parameters` and `slots` are the host's copies: they are sent before the first step, and follow by `fetch`.
    """

    def __init__(
        self,
        device: Device,
        network: Network,
        spec: JobSpec,
        parameters: Parameters,
        train: Examples,
        workspaces: Workspaces,
        streams: RandomStreams,
        varied: Variation | None,
    ) -> None:
        self.device, self.network, self.spec, self.parameters = device, network, spec, parameters
        self.train, self.workspaces, self.streams, self.varied = train, workspaces, streams, varied
        theta = parameters.theta
        self.gradient = network.gradient(theta.dtype)  # of the last measured step
        self.slots = Arrays(**{letter: np.zeros_like(theta) for letter in spec.optimizer.slots})
        self.measured: list[LayerStatistics] = []
        device.begin(theta.dtype, tf32=spec.tf32)
        m, wanted = len(train), spec.training.batch_size
        self.size = m if wanted == "full" else min(wanted, m)
        self.state = State(device, network, spec, self.size, theta.dtype)
        self.moments = Pair(device, (MOST, 3), np.float64)
        self.clock = device.staging(3, np.int64)
        self.forward = Forward(self.state)
        mixed = varied is not None and varied.augmenter.varies_inputs
        resident = not mixed and fits(device, network, train, self.size)
        x = None
        if resident and isinstance(train.inputs, Matrix):
            x = device.zeros(train.inputs.x.shape, theta.dtype)
            device.send(train.inputs.x, x)
            self.forward.keep(train, x)
        held = Held(device, train, x)
        rows = m if resident else staged_rows(network, m, self.size, theta.dtype.itemsize)
        self.feeds = [Feed(device, network, held, rows, mixed=mixed) for _ in range(2)]
        self.steps: dict[tuple[int, int], Step] = {}
        self.fed = 0  # portions so far
        self.seconds = PORTION_SECONDS  # that a step takes, as the last ones did
        self._holds: Parameters | None = None  # whose numbers the device has
        self._newer = {"parameters": False, "slots": False}  # on the device than on the host
        self._sums: NDArray[np.float64] | None = None
        self._enqueued = 0  # steps since the sums began
        self._sent: Callable[[], None] = lambda: None  # waits until the last steps have begun

    # -- steps ----------------------------------------------------------------------------------------------------

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
        """As `Descent.run` does, but the steps that it says were taken are under way: `settle` waits for them."""
        self._begin(sums)
        start, began, counts = 0, perf_counter(), (0, 0)
        while start < portion.size:
            end = min(start + self.feeds[0].size, portion.size)
            feed = self._feed(portion.part(start, end))
            place = start
            while place < end:
                left = -(-(end - place) // size)
                last = measure and end == portion.size
                count = max(1, min(left - last, MOST, int(seconds / self.seconds)))
                alone = last and left == 1
                self._steps(feed, place - start, min(end - place, count * size), size, rate, t, measure=alone)
                place, t, now = place + count * size, t + count, perf_counter()
                if counts[0]:  # the steps before the last: these have begun only now, when those were over
                    self.seconds = max((now - began) / counts[0], self.seconds / 8)
                counts, began = (counts[1], count), now
                yield count
            start = end

    def settle(self, sums: NDArray[np.float64]) -> int:
        """Wait for the steps that are under way, and write down what they cost; how many were taken too many.

        Those behind a step whose cost is not finite are of no account.
        """
        if self._sums is not sums:
            return 0
        self.device.fetch(self.state.totals, sums)
        return self._enqueued - int(sums[TAKEN])

    def _begin(self, sums: NDArray[np.float64]) -> None:
        """Have the parameters on the device, and count on from these sums."""
        self._load(self.parameters)
        if self._sums is not sums:
            self._sent()
            self._sums, self._enqueued = sums, 0
            sums[TAKEN:] = 0
            self.device.send(sums.copy(), self.state.totals)

    def _feed(self, portion: Batch) -> int:
        """Send a portion to the feed that is free; which one that is."""
        self._sent()  # so the steps before those, which used the same feed, are over
        number = self.fed % 2
        self.fed += 1
        feed = self.feeds[number]
        rows = portion.rows
        if feed.mixed and self.varied is not None:
            place = 0
            for batch in portion.batches(self.size):
                workspace = self.workspaces.of(batch.size)
                X = self.train.load(batch.rows, workspace, batch.X)
                if batch.epoch is not None and not isinstance(batch.rows, slice):
                    self.varied.mix(X, workspace.Y, batch.rows, batch.epoch, workspace.w)
                feed.take(place, X, workspace.Y, workspace.w)
                place += batch.size
            feed.send_taken(np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows)
        else:
            feed.fill(portion)
        self.device.meet()
        return number

    def _steps(
        self,
        feed: int,
        first: int,
        count: int,
        size: int,
        rate: Callable[[int], float],
        t: int,
        *,
        measure: bool,
    ) -> None:
        """Enqueue the steps of `count` examples of a feed from the first on; only a single one is measured."""
        self._sent()
        steps = -(-count // size)
        rates = np.array([rate(t + number) for number in range(steps)])
        self.moments.host[:steps] = update.moments(self.spec.optimizer, rates, t)
        self.moments.send(steps)
        self.clock[:] = first, 0, t
        self.device.send(self.clock, self.state.clock)
        self._sent = self.device.mark()
        if measure:
            self.device.copy(self.state.theta, self.state.before)
        for number in range(steps):
            self._step(feed, min(size, count - number * size)).enqueue()
        self._enqueued += steps
        self._newer = dict.fromkeys(self._newer, True)
        if measure:
            self._measure(self._step(feed, count))

    def _step(self, feed: int, m: int) -> Step:
        key = feed, m
        if key not in self.steps:
            source = self.feeds[feed].source
            self.steps[key] = Step(self.state, self.spec, source, self.moments.there, m, self.streams.seed)
        return self.steps[key]

    def _measure(self, step: Step) -> None:
        """The layers' statistics of the step that was enqueued last."""
        self.fetch()
        before = np.empty_like(self.parameters.theta)
        self.device.fetch(self.state.before, before)
        self.device.fetch(self.state.g, self.gradient.vector)
        caches = []
        for there in step.caches:
            here = Cache(**{letter: self._fetched(array) for letter, array in vars(there).items()})
            if "A" in vars(here):
                here.live = here.A > 0  # where it is asked for, in ReLU, so was Z
            caches.append(here)
        self.measured = measure_layers(self.network, self.parameters, before, self.gradient, caches)

    # -- what is on the device, and what the host knows of it -------------------------------------------------------

    def fetch(self, *, slots: bool = False) -> None:
        """Bring the host's parameters, and the slots where they are wanted, up to those of the device."""
        if self._newer["parameters"]:
            self._newer["parameters"] = False
            self.device.fetch(self.state.theta, self.parameters.theta)
            if self.parameters.averages.size:
                self.device.fetch(self.state.averages, self.parameters.averages)
        if slots and self._newer["slots"]:
            self._newer["slots"] = False
            for letter, slot in self.state.slots.items():
                self.device.fetch(slot, getattr(self.slots, letter))

    def logits(self, examples: Examples, parameters: Parameters) -> Array | None:
        """What the network with these parameters answers to a set (m × k), before the loss makes it an answer."""
        if parameters is not self._holds:
            self.fetch(slots=True)
            self._load(parameters)
        return self.forward.logits(examples)

    def _load(self, parameters: Parameters) -> None:
        if self._holds is parameters is self.parameters:
            return  # others may have changed meanwhile
        self.device.send(parameters.theta, self.state.theta)
        if parameters.averages.size:
            self.device.send(parameters.averages, self.state.averages)
        if parameters is self.parameters:
            for letter, slot in self.state.slots.items():
                self.device.send(getattr(self.slots, letter), slot)
        self._holds = parameters

    def _fetched(self, array: Array) -> Array:
        here: Array = np.empty(array.shape, array.dtype)
        self.device.fetch(array, here)
        return here


def lack(network: Network, spec: JobSpec, streams: RandomStreams) -> tuple[str, str] | None:
    """What of a job has no kernel yet, so that it trains on the CPU: the field, and what it is; None if nothing."""
    for index, layer in enumerate(network.layers):
        if type(layer) not in (*NUMBERS, Dense, BatchNorm, Dropout):
            return f"/layers/{index}", f"a layer of type {vars(layer)['type']}"
    if type(network.loss) not in loss.OF:
        return "/loss/type", f"the loss {vars(network.loss)['type']}"
    if type(spec.optimizer) not in update.OF:
        return "/optimizer/type", f"the optimizer {vars(spec.optimizer)['type']}"
    if type(streams) is not RandomStreams:
        return "/seed", "a recorded series of random numbers"
    return None
