"""The examples of the next steps on their way to the device, while it is still busy with those before."""

import numpy as np
from numpy.typing import DTypeLike, NDArray

from engine.examples import Examples
from engine.gpu.device import Device
from engine.gpu.kernel import Array
from engine.gpu.step import Source
from engine.inputs import Batch, Matrix
from engine.network import Network
from engine.parameters import Shape

STAGED_BYTES = 32 << 20  # of inputs that go over at a time


class Pair:
    """The same numbers twice: where the host writes them, and where the device reads them."""

    def __init__(self, device: Device, shape: Shape | int, dtype: DTypeLike) -> None:
        self.device = device
        self.host: Array = device.staging(shape, dtype)
        self.there: Array = device.zeros(shape, dtype)

    def send(self, count: int, *, beside: bool = False) -> None:
        """Copy the first `count` rows over."""
        self.device.send(self.host[:count], self.there[:count], beside=beside)


class Held:
    """The whole training set on the device; only the order in which its rows come goes over."""

    def __init__(self, device: Device, train: Examples, x: Array | None) -> None:
        self.x, self.train = x, train
        self.y: Array | None = None
        self.table: Array | None = None
        self.weights: Array | None = None
        self.targets: Array | None = None
        if train.by_class and train.table is not None:
            self.y = _sent(device, train.y.astype(np.int64, copy=False))
            self.table = _sent(device, train.table)
            self.weights = None if train.weights is None else _sent(device, train.weights.reshape(-1))
        else:
            self.targets = _sent(device, np.asarray(train.targets, train.dtype))


class Feed:
    """Room for the rows of some steps, and for their inputs where these are not on the device already."""

    def __init__(self, device: Device, network: Network, held: Held, rows: int, *, mixed: bool) -> None:
        dtype, train = held.train.dtype, held.train
        self.held, self.size, self.mixed = held, rows, mixed
        self.rows = Pair(device, rows, np.int64)
        self.X: Pair | None = None
        x, x_rows = held.x, None
        if x is not None:
            x_rows = self.rows.there
        else:
            self.X = Pair(device, (rows, network.n_in), dtype)
            x = self.X.there
        self.Y = Pair(device, (rows, network.n_out), dtype) if mixed else None
        self.w = Pair(device, (rows, 1), dtype) if mixed and network.weighted else None
        self.source = Source(
            x=x,
            x_rows=x_rows,
            rows=self.rows.there,
            y=held.y,
            table=None if mixed else held.table,
            weights=None if mixed else held.weights,
            targets=held.targets if self.Y is None else self.Y.there,
            target_rows=self.rows.there if self.Y is None else None,
            row_weights=None if self.w is None else self.w.there,
        )
        self.train = train

    def fill(self, portion: Batch) -> None:
        """Bring the rows of a portion, and what belongs to them, to where the device reads them."""
        count, rows = portion.size, portion.rows
        self.rows.host[:count] = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
        self.rows.send(count)
        if self.X is None:
            return
        if portion.X is not None:
            np.copyto(self.X.host[:count], portion.X)
        else:
            room = self.X.host[:count]
            made = self.train.inputs.load(rows, room)
            if made is not room:
                np.copyto(room, made)
        self.X.send(count, beside=True)

    def take(self, place: int, X: NDArray[np.generic], Y: NDArray[np.generic], w: NDArray[np.generic] | None) -> None:
        """Put a batch whose inputs and answers were varied together into its place."""
        end = place + len(X)
        for pair, made in ((self.X, X), (self.Y, Y), (self.w, w)):
            if pair is not None and made is not None:
                np.copyto(pair.host[place:end], made)

    def send_taken(self, numbers: NDArray[np.generic]) -> None:
        """Send the batches that were put in their places; `numbers` are their rows in the set."""
        count = len(numbers)
        self.rows.host[:count] = numbers
        self.rows.send(count)
        for pair in (self.X, self.Y, self.w):
            if pair is not None:
                pair.send(count, beside=True)


def fits(device: Device, network: Network, train: Examples, m: int) -> bool:
    """Whether the training inputs may stay on the device, beside what steps and measurements need."""
    if not isinstance(train.inputs, Matrix):
        return False
    steps = 4 * m * sum(network.widths) * train.dtype.itemsize
    return train.inputs.x.nbytes + steps <= device.free() * 0.8


def staged_rows(network: Network, m: int, size: int, itemsize: int) -> int:
    """Rows that go over at a time: whole batches of `size`, at least one, no more than all m."""
    return min(m, size * max(1, STAGED_BYTES // (network.n_in * itemsize * size)))


def _sent(device: Device, values: NDArray[np.generic]) -> Array:
    there = device.zeros(values.shape, values.dtype)
    device.send(np.ascontiguousarray(values), there)
    return there
