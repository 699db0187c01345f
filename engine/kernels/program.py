"""A network written down as tables for `step.run`: which operation, on what, where in the arena.

What is computed in place: everything, unless a backward pass still needs what would be overwritten.
"""

from math import prod

import numpy as np
from numpy.typing import NDArray

from engine.activations import Activation, Linear
from engine.kernels import activation, loss, mask, meeting, step, update
from engine.kernels.blas import GEMM
from engine.layer import Cache, Layer
from engine.layers import BatchNorm, Dense, Dropout
from engine.network import Network
from engine.parameters import Array
from engine.random_streams import RandomStreams
from engine.spec import JobSpec

LINE = 16  # numbers: every buffer begins a cache line of its own, whatever the precision
FEW_ROWS = 256  # of each thread
FEW_WEIGHTS = 1 << 17  # in a matrix: with less of them there is little to lay out
PANEL = 256 << 10  # numbers of a weight matrix's gradient that are made before they are used, within the cache

Row = tuple[list[int], tuple[float, float]]  # of a table: its columns, and its real numbers


class Program:
    """The tables of one network for batches of up to m, and the arena they work in; without a spec it only answers."""

    def __init__(
        self, network: Network, spec: JobSpec | None, m: int, dtype: np.dtype[np.floating], threads: int
    ) -> None:
        self.network, self.m, self.dtype, self.threads = network, m, dtype, threads
        self.learns = spec is not None
        self.end = self.end_of_masks = 0
        self.places = np.zeros(11, np.int64)
        self.forward: list[Row] = []
        self.backward: list[Row] = []
        self.panels: list[list[int]] = []
        self.reductions: list[list[int]] = []
        self.offsets = {(place.layer, place.letter): place.offset for place in network.layout.places}
        self.offsets |= {(place.layer, place.letter): place.offset for place in network.averages_layout.places}
        self.made: dict[int, dict[str, int]] = {}  # by layer: where its buffers are
        self._write()
        self.constants, self.clip_norm = np.zeros(update.CONSTANTS), 0.0
        if spec is not None:
            self.constants = update.constants(spec.optimizer)
            self.constants[update.L1], self.constants[update.L2] = spec.regularization.l1, spec.regularization.l2
            self.constants[update.CLIP_VALUE] = spec.training.clip_value or 0.0
            self.clip_norm = spec.training.clip_norm or 0.0
        self.arena: Array = aligned(self.end, dtype)
        self.masks = np.zeros(self.end_of_masks, np.uint8)
        self.panels.sort(key=lambda panel: panel[0])
        shares = numbers(self.panels, 8), numbers(self.reductions, 3)
        self.tables = (*table(self.forward), *table(self.backward), *shares)
        self.local = np.zeros(m, np.int64)
        self.sums = np.zeros((2, threads, LINE))
        self.moments, self.blocks = np.zeros((threads, LINE)), np.zeros((threads, LINE), np.uint64)  # each thread's own
        self.costs = np.zeros((2, len(self.panels), 2))  # penalty and squares of each panel
        self.meeting = np.zeros(meeting.CLAIMS + len(self.panels), np.int64)

    # -- memory -------------------------------------------------------------------------------------------------

    def room(self, *shape: int) -> int:
        """A place in the arena for an array of this shape."""
        at = self.end
        self.end += -(-prod(shape) // LINE) * LINE
        return at

    def flags(self, *shape: int) -> int:
        at = self.end_of_masks
        self.end_of_masks += -(-prod(shape) // 64) * 64
        return at

    def caches(self, m: int) -> list[Cache]:
        """What the last step, of m examples, has left of its passes, for whoever measures the layers."""
        caches = []
        for index, (layer, n_in) in enumerate(zip(self.network.layers, self.network.widths, strict=False)):
            made, cache = self.made[index], Cache()
            if "dZ" in made:
                cache.dZ = self.matrix(made["dZ"], m, layer.width(n_in))
            if "A" in made:
                cache.A = self.matrix(made["A"], m, n_in)
                cache.live = cache.A > 0  # where it is asked for, in ReLU, so was Z
            caches.append(cache)
        return caches

    def matrix(self, at: int, m: int, n: int) -> Array:
        return self.arena[at : at + m * n].reshape(m, n)

    def divided(self, n_in: int, units: int, *, forward: bool) -> int:
        """How threads share a product with a weight matrix: by columns where that saves more than meeting costs.

        By rows every thread lays out the whole matrix for the processor, which a few rows do not repay; on the way
        back it is transposed as well, which takes longer still.
        """
        worth = self.m < FEW_ROWS * self.threads and n_in * units >= (FEW_WEIGHTS if forward else FEW_WEIGHTS // 4)
        return step.BY_COLUMNS if self.learns and self.threads > 1 and worth else step.BY_ROWS

    # -- tables -------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        network, m = self.network, self.m
        places = self.places
        places[step.COPIES] = not isinstance(network.layers[0], Dense)
        places[step.X_AT] = self.room(m, network.n_in)
        places[step.Y_AT] = self.room(m, network.n_out)
        places[step.W_AT], places[step.ROW_AT] = self.room(m), self.room(m)
        places[step.WEIGHTS], places[step.OUTPUTS] = network.layout.weights, network.n_out
        places[step.LOSS] = loss.NUMBERS[type(network.loss)]
        at = step.INPUT if isinstance(network.layers[0], Dense) else int(places[step.X_AT])
        free = False  # whether what lies in the buffer may be overwritten
        for index, layer in enumerate(network.layers):
            at, free = self._forward(index, layer, network.widths[index], at, free)
        places[step.Z_AT] = at
        if not self.learns:
            return
        for index in range(len(network.layers) - 1, network.first - 1, -1):
            at = self._backward(index, network.layers[index], network.widths[index], at)
        widest = max(panel[6] * panel[4] for panel in self.panels)
        places[step.PANEL_SIZE] = -(-widest // LINE) * LINE
        places[step.PANEL_AT] = self.room(self.threads, int(places[step.PANEL_SIZE]))

    def _forward(self, index: int, layer: Layer, n_in: int, at: int, free: bool) -> tuple[int, bool]:
        """Write a layer's operations; where its output is, and whether backward can do without it."""
        m, made = self.m, self.made.setdefault(index, {})
        if isinstance(layer, Dense):
            Z = self.room(m, layer.units)
            made |= {"A_prev": at, "Z": Z}
            divided = self.divided(n_in, layer.units, forward=True)
            self.forward.append(
                op(step.PRODUCT, layer.units, IN=at, OUT=Z, K=n_in, P=self.offsets[index, "W"], WHICH=divided)
            )
            if layer.bias:
                self.forward.append(op(step.BIAS, layer.units, OUT=Z, P=self.offsets[index, "b"]))
            return Z, True
        if isinstance(layer, BatchNorm):
            vectors = self.room(step.BATCH_NORM_VECTORS, self.threads, n_in)
            hat = at if free else self.room(m, n_in)
            Y = self.room(m, n_in)
            made |= {"Z_hat": hat, "vectors": vectors}
            mean, gamma, beta = (self.offsets[index, letter] for letter in ("mean", "gamma", "beta"))
            reals = (layer.momentum, layer.epsilon)
            self.forward.append(op(step.STATISTICS, n_in, reals, IN=at, EXTRA=vectors, P=mean))
            self.forward.append(op(step.NORMALIZE, n_in, IN=at, OUT=Y, EXTRA=vectors, WHICH=hat, P=gamma, Q=beta))
            return Y, True
        if isinstance(layer, Dropout):
            if layer.keep_prob == 1 or not self.learns:
                return at, free
            out = at if free else self.room(m, n_in)
            made["D"] = self.flags(m, n_in)
            limit = mask.threshold(layer.keep_prob, self.dtype)
            self.forward.append(
                op(step.DROP, n_in, (layer.keep_prob, 0.0), IN=at, OUT=out, EXTRA=made["D"], Q=limit, WHICH=index)
            )
            return out, True
        if isinstance(layer, Linear):
            return at, free
        if not isinstance(layer, Activation):
            raise KeyError(type(layer).__name__)
        kind = activation.NUMBERS[type(layer)]
        out = at if free and (kind in activation.IN_PLACE or not self.learns) else self.room(m, n_in)
        made |= {"Z": at, "A": out}
        reals = (activation.parameter(layer), 0.0)
        self.forward.append(op(step.ACTIVATE, n_in, reals, IN=at, OUT=out, WHICH=kind))
        return out, not self.learns

    def _backward(self, index: int, layer: Layer, n_in: int, at: int) -> int:
        """Write the operations that take the gradient in `at` below a layer; where it is then."""
        made = self.made[index]
        if isinstance(layer, Dense):
            made["dZ"] = at
            if layer.bias:
                part = self.room(self.threads, layer.units)
                self.backward.append(op(step.BIAS_SUM, layer.units, OUT=at, EXTRA=part))
                self.reductions.append([part, layer.units, self.offsets[index, "b"]])
            self._panels(index, layer.units, n_in, at, made["A_prev"])
            if index == self.network.first:
                return at
            below = self.room(self.m, n_in)
            divided = self.divided(n_in, layer.units, forward=False)
            self.backward.append(
                op(step.PRODUCT_BACK, layer.units, IN=at, OUT=below, K=n_in, P=self.offsets[index, "W"], WHICH=divided)
            )
            return below
        if isinstance(layer, BatchNorm):
            hat, vectors = made["Z_hat"], made["vectors"]
            gamma, beta = self.offsets[index, "gamma"], self.offsets[index, "beta"]
            self.backward.append(op(step.GRADIENT_SUMS, n_in, IN=hat, OUT=at, EXTRA=vectors))
            stride = self.threads * n_in
            self.reductions.append([vectors + int(step.DGAMMA_PART) * stride, n_in, gamma])
            self.reductions.append([vectors + int(step.DBETA_PART) * stride, n_in, beta])
            if index > self.network.first:
                self.backward.append(op(step.SUMS_TOGETHER, n_in, EXTRA=vectors))
                self.backward.append(op(step.NORMALIZE_BACK, n_in, IN=hat, OUT=at, EXTRA=vectors, P=gamma))
            return at
        if isinstance(layer, Dropout) and layer.keep_prob < 1:
            self.backward.append(op(step.DROP_BACK, n_in, (layer.keep_prob, 0.0), OUT=at, EXTRA=made["D"]))
        elif isinstance(layer, Activation) and not isinstance(layer, Linear):
            reals = (activation.parameter(layer), 0.0)
            kind = activation.NUMBERS[type(layer)]
            self.backward.append(op(step.ACTIVATE_BACK, n_in, reals, IN=made["Z"], OUT=made["A"], EXTRA=at, WHICH=kind))
        return at

    def _panels(self, index: int, units: int, n_in: int, dZ: int, A_prev: int) -> None:
        """Each thread's share of a weight matrix, in panels whose gradient stays in the cache."""
        rows = max(1, PANEL // units)
        W = self.offsets[index, "W"]
        for thread in range(self.threads):
            first, last = n_in * thread // self.threads, n_in * (thread + 1) // self.threads
            count = -(-(last - first) // rows)
            for number in range(count):
                i = first + (last - first) * number // count
                high = first + (last - first) * (number + 1) // count - i
                self.panels.append([thread, dZ, A_prev, n_in, units, W + i * units, high, i])


def op(kind: int, n: int, reals: tuple[float, float] = (0.0, 0.0), **columns: int) -> Row:
    """One row of a table, by the names of its columns."""
    row = [0] * 10
    row[step.KIND], row[step.N] = kind, n
    for name, value in columns.items():
        row[getattr(step, name)] = value
    return row, reals


def table(ops: list[Row]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The rows as arrays, each knowing where the group that it begins ends."""
    rows = numbers([row for row, _ in ops], 10)
    end = len(rows)
    for place in range(len(rows) - 1, -1, -1):
        if rows[place, step.KIND] in step.IN_GROUPS:
            rows[place, step.GROUP] = end
        else:
            end = place
    return rows, np.array([reals for _, reals in ops], np.float64).reshape(-1, 2)


def numbers(rows: list[list[int]], columns: int) -> NDArray[np.int64]:
    return np.array(rows, np.int64).reshape(-1, columns)


def aligned(size: int, dtype: np.dtype[np.floating]) -> Array:
    """Zeros that begin a cache line."""
    raw = np.zeros(size + 64 // dtype.itemsize, dtype)
    skipped = -raw.ctypes.data % 64 // dtype.itemsize
    return raw[skipped : skipped + size]


def can_answer(network: Network, dtype: np.dtype[np.floating]) -> bool:
    """Whether kernels know every layer and the loss."""
    return (
        GEMM[dtype] != 0
        and type(network.loss) in loss.NUMBERS
        and all(type(layer) in (*activation.NUMBERS, Dense, BatchNorm, Dropout) for layer in network.layers)
    )


def can_run(network: Network, spec: JobSpec, streams: RandomStreams, dtype: np.dtype[np.floating]) -> bool:
    """Whether kernels know every part: a newcomer to a family trains by its plain formula until they do."""
    return type(streams) is RandomStreams and can_answer(network, dtype) and type(spec.optimizer) in update.KNOWN
