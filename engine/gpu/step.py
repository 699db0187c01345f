"""One step on batches of one size: its kernels and products in their order, on memory made once.

The order is that of the layers, forward and back; what follows on from one to the next is done in one pass over the
memory: a bias with the activation behind it, the slope of an activation with the sum for the bias below.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from engine.activations import Activation, Linear
from engine.gpu import activation, batch, loss, mask, normalization, totals, update
from engine.gpu.device import Device
from engine.gpu.kernel import Array, Kernel, parts
from engine.layer import Cache, Layer
from engine.layers import BatchNorm, Dense, Dropout
from engine.network import Network
from engine.random_streams import mask_key
from engine.spec import JobSpec


class State:
    """All that a run has on the device, whatever the size of its batches."""

    def __init__(self, device: Device, network: Network, spec: JobSpec, m: int, dtype: np.dtype[np.floating]) -> None:
        self.device, self.network, self.m, self.dtype = device, network, m, dtype
        size = network.layout.size
        self.theta, self.before = device.zeros(size, dtype), device.zeros(size, dtype)
        self.g = device.zeros(size, dtype)
        self.averages = device.zeros(max(1, network.averages_layout.size), dtype)
        self.slots = {letter: device.zeros(size, dtype) for letter in spec.optimizer.slots}
        self.layers = network.layout.letters(self.theta)
        for views, averages in zip(self.layers, network.averages_layout.letters(self.averages), strict=True):
            vars(views).update(vars(averages))
        self.gradients = network.layout.letters(self.g)
        self.parts = device.zeros((parts(size), 2), np.float64)
        self.factor = device.zeros(1, np.float64)
        self.losses, self.right = device.zeros(m, np.float64), device.zeros(m, np.int64)
        self.totals, self.clock = device.zeros(totals.SIZE, np.float64), device.zeros(3, np.int64)
        self._rooms: dict[tuple[int, str], Array] = {}

    def room(self, index: int, letter: str, width: int, m: int, kind: type | None = None) -> Array:
        """A layer's buffer for batches of up to `self.m`, as one of m examples has it."""
        key = index, letter
        if key not in self._rooms:
            self._rooms[key] = self.device.zeros((self.m, width), kind or self.dtype)
        return self._rooms[key][:m]

    def vector(self, index: int, letter: str, width: int) -> Array:
        """A layer's buffer of its own width, whatever the batch."""
        key = index, letter
        if key not in self._rooms:
            self._rooms[key] = self.device.zeros(width, self.dtype)
        return self._rooms[key]


@dataclass(frozen=True)
class Source:
    """Where on the device the examples are; numbers that are missing follow each other."""

    x: Array
    x_rows: Array | None
    rows: Array  # of the answers
    y: Array | None  # classes
    table: Array | None  # what to say for each of them
    weights: Array | None  # how much each of them counts
    targets: Array | None  # what to say, row by row, where there is no table
    target_rows: Array | None
    row_weights: Array | None  # of the targets' rows, where these are weighted


class Step:
    """The work of one step on m examples of a source."""

    def __init__(self, state: State, spec: JobSpec, source: Source, moments: Array, m: int, seed: int) -> None:
        self.state, self.spec, self.source, self.moments, self.m, self.seed = state, spec, source, moments, m, seed
        self.device, self.network = state.device, state.network
        self.work: list[Callable[[], None]] = []
        self.caches = [Cache() for _ in self.network.layers]
        self.bias: Array | None = None  # of the dense layer below, not added yet
        self._made: dict[int, dict[str, Array]] = {index: {} for index in range(len(self.network.layers))}
        self._write()
        self._once = False
        self._recorded: Callable[[], None] | None = None

    def enqueue(self) -> None:
        """Take the step: the first time piece by piece, which loads what it needs, then as one recorded whole."""
        if self._recorded is None and self._once:
            self._recorded = self.device.recorded(self.each)
        self._once = True
        (self._recorded or self.each)()

    def each(self) -> None:
        """Take the step piece by piece."""
        for piece in self.work:
            piece()

    # -- what there is to do --------------------------------------------------------------------------------------

    def _do(self, kernel: Kernel, *arguments: Array | float | None) -> None:
        self.work.append(partial(self.device.launch, kernel, *arguments))

    def _product(self, A: Array, B: Array, out: Array, transposed: str = "") -> None:
        self.work.append(partial(self.device.product, A, B, out, transposed=transposed))

    def _write(self) -> None:
        state, network, m = self.state, self.network, self.m
        A, Y, w, labels = self._batch()
        free = False  # whether what lies in the buffer may be overwritten
        for index, layer in enumerate(network.layers):
            A, free = self._forward(index, layer, network.widths[index], A, free)
        self._do(loss.OF[type(network.loss)], A, self.bias, Y, w, labels, state.losses[:m], state.right[:m])
        dA = A
        for index in range(len(network.layers) - 1, network.first - 1, -1):
            dA = self._backward(index, network.layers[index], network.widths[index], dA)
        self._update()

    def _batch(self) -> tuple[Array, Array, Array | None, Array | None]:
        """The inputs, targets, weights and labels of the batch."""
        state, network, m, source, clock = self.state, self.network, self.m, self.source, self.state.clock
        X, Y = state.room(-1, "X", network.n_in, m), state.room(-1, "Y", network.n_out, m)
        w = state.room(-1, "w", 1, m) if network.weighted else None
        labels: Array | None = None
        self._do(batch.gather, source.x, source.x_rows, clock, X)
        if source.y is not None:
            labels = state.room(-1, "labels", 1, m, np.int64).reshape(m)
            self._do(batch.look_up, source.y, source.rows, clock, source.table, source.weights, labels, Y, w)
        if source.targets is not None:
            self._do(batch.gather, source.targets, source.target_rows, clock, Y)
        if source.row_weights is not None and w is not None:
            self._do(batch.gather, source.row_weights, source.target_rows, clock, w)
        return X, Y, w, labels

    def _settled(self, A: Array) -> Array:
        """A with the bias that is still to be added."""
        if self.bias is not None:
            self._do(activation.activate, A, self.bias, A, activation.LINEAR, 0.0)
            self.bias = None
        return A

    def _forward(self, index: int, layer: Layer, n_in: int, A: Array, free: bool) -> tuple[Array, bool]:
        """A layer's output, and whether backward can do without it."""
        state, m, p, made = self.state, self.m, self.state.layers[index], self._made[index]
        if isinstance(layer, Dense):
            made["A_prev"] = self._settled(A)
            Z = state.room(index, "Z", layer.units, m)
            self._product(A, p.W, Z)
            self.bias = p.b if layer.bias else None
            return Z, True
        if isinstance(layer, Activation):
            if isinstance(layer, Linear):
                return A, free
            kind = activation.NUMBERS[type(layer)]
            out = A if free and kind in activation.IN_PLACE else state.room(index, "A", n_in, m)
            self._do(activation.activate, A, self.bias, out, kind, activation.parameter(layer))
            self.bias = None
            made |= {"Z": A, "A": out}
            self.caches[index].A = out
            return out, False
        A = self._settled(A)
        if isinstance(layer, BatchNorm):
            mu, scale = state.vector(index, "mu", n_in), state.vector(index, "scale", n_in)
            hat = A if free else state.room(index, "Z_hat", n_in, m)
            Y = state.room(index, "Y", n_in, m)
            self._do(
                normalization.statistics,
                A, mu, scale, layer.epsilon, p.mean, p.variance, p.batches, layer.momentum,
            )  # fmt: skip
            self._do(normalization.normalize, A, mu, scale, p.gamma, p.beta, hat, Y, p.batches)
            made |= {"Z_hat": hat, "scale": scale}
            return Y, True
        if isinstance(layer, Dropout) and layer.keep_prob < 1:
            out = A if free else state.room(index, "A", n_in, m)
            made["D"] = D = state.room(index, "D", n_in, m, np.uint8)
            limit, key = mask.threshold(layer.keep_prob, state.dtype), mask_key(self.seed, index)
            self._do(mask.drop, A, out, D, limit, layer.keep_prob, int(key[0]), int(key[1]), state.clock)
            return out, True
        return A, free

    def _backward(self, index: int, layer: Layer, n_in: int, dA: Array) -> Array:
        """∂J/∂A_prev for ∂J/∂A."""
        state, m, p, g, made = (
            self.state,
            self.m,
            self.state.layers[index],
            self.state.gradients[index],
            self._made[index],
        )
        if isinstance(layer, Dense):
            self.caches[index].dZ = dA
            if layer.bias and "summed" not in made:
                self._do(activation.slope, dA, None, None, activation.LINEAR, 0.0, g.b)
            self._product(made["A_prev"], dA, g.W, "A")
            if index == self.network.first:
                return dA
            below = state.room(index, "dA_prev", n_in, m)
            self._product(dA, p.W, below, "B")
            return below
        if isinstance(layer, BatchNorm):
            self._do(normalization.gradient_sums, dA, made["Z_hat"], g.gamma, g.beta)
            if index > self.network.first:
                self._do(normalization.normalize_back, dA, made["Z_hat"], g.gamma, g.beta, made["scale"], p.gamma)
        elif "D" in made:
            self._do(mask.drop_back, dA, made["D"], vars(layer)["keep_prob"])
        elif isinstance(layer, Activation) and "A" in made:
            under = self.network.layers[index - 1] if index > self.network.first else None
            db = None
            if isinstance(under, Dense) and under.bias:
                db = state.gradients[index - 1].b
                self._made[index - 1]["summed"] = db
            kind = activation.NUMBERS[type(layer)]
            self._do(activation.slope, dA, made["Z"], made["A"], kind, activation.parameter(layer), db)
        return dA

    def _update(self) -> None:
        """Penalty, clipping, the optimizer, and the end of the step."""
        state, spec, m = self.state, self.spec, self.m
        penalty, training, weights = spec.regularization, spec.training, self.network.layout.weights
        l1, l2, limit = penalty.l1 / m, penalty.l2 / m, training.clip_value or 0.0
        norm = training.clip_norm or 0.0
        counts = bool(l1 or l2 or limit or norm)
        if counts:
            self._do(update.objective, state.theta, state.g, weights, l1, l2, limit, state.parts)
        if norm:
            self._do(update.clip, state.parts, norm, state.factor)
        v, s = state.slots.get("v"), state.slots.get("s")
        self._do(
            update.OF[type(spec.optimizer)],
            state.theta, state.g, v, s, weights, state.factor if norm else None, self.moments, state.clock,
            *update.constants(spec.optimizer),
        )  # fmt: skip
        self._do(
            totals.tally,
            state.losses[:m], state.right[:m], state.parts if counts else None, len(state.parts), state.totals,
            state.clock,
        )  # fmt: skip
