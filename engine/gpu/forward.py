"""What the network on the device answers, with dropout off and running averages used."""

import numpy as np

from engine.activations import Activation, Linear
from engine.examples import Examples
from engine.gpu import activation, normalization
from engine.gpu.kernel import Array as DeviceArray
from engine.gpu.step import State
from engine.inputs import Matrix
from engine.layers import BatchNorm, Dense
from engine.parameters import Array

BLOCK = 4096  # examples a pass: enough to keep a GPU busy


class Forward:
    """Logits of whole sets; one that is in memory, and fits, is kept on the device."""

    def __init__(self, state: State) -> None:
        self.state, self.device, self.network = state, state.device, state.network
        self._rooms: list[DeviceArray] = []  # the inputs, and two that the layers fill in turn
        self._kept: dict[int, tuple[Examples, DeviceArray]] = {}

    def keep(self, examples: Examples, x: DeviceArray) -> None:
        """Know of inputs that are on the device already."""
        self._kept[id(examples)] = examples, x

    def logits(self, examples: Examples) -> Array:
        """Z of the output layer (m × k) for every example, on the host."""
        m, n_in = len(examples), self.network.n_in
        Z: Array = np.empty((m, self.network.n_out), self.state.dtype)
        rows = min(BLOCK, m)
        if not self._rooms or len(self._rooms[0]) < rows:
            widest = max(self.network.widths)
            self._rooms = [self.device.zeros((rows, width), self.state.dtype) for width in (n_in, widest, widest)]
        kept, done = self._resident(examples), 0
        for batch in examples.batches(rows):
            end = done + batch.size
            if kept is None:
                X = self._rooms[0][: batch.size]
                inputs = batch.X
                if inputs is None:
                    inputs = examples.inputs.load(batch.rows, np.empty((batch.size, n_in), self.state.dtype))
                self.device.send(np.ascontiguousarray(inputs), X)
            else:
                X = kept[done:end]
            self.device.fetch(self._pass(X), Z[done:end])
            done = end
        return Z

    def _resident(self, examples: Examples) -> DeviceArray | None:
        """The inputs on the device, if that is where they are to stay."""
        if id(examples) not in self._kept:
            inputs = examples.inputs
            if not isinstance(inputs, Matrix) or 2 * inputs.x.nbytes > self.device.free():
                return None
            x = self.device.zeros(inputs.x.shape, self.state.dtype)
            self.device.send(inputs.x, x)
            self.keep(examples, x)
        return self._kept[id(examples)][1]

    def _pass(self, X: DeviceArray) -> DeviceArray:
        """Layer by layer, from room to room."""
        A, m, launch, place = X, len(X), self.device.launch, 1
        for layer, n_in, p in zip(self.network.layers, self.network.widths, self.state.layers, strict=False):
            if isinstance(layer, Linear) or not isinstance(layer, Dense | BatchNorm | Activation):
                continue
            place = 3 - place
            n = layer.width(n_in)
            out = self._rooms[place].reshape(-1)[: m * n].reshape(m, n)
            if isinstance(layer, Dense):
                self.device.product(A, p.W, out)
                if layer.bias:
                    launch(activation.activate, out, p.b, out, activation.LINEAR, 0.0)
            elif isinstance(layer, BatchNorm):
                launch(
                    normalization.normalize_by_averages,
                    A, p.mean, p.variance, layer.epsilon, p.gamma, p.beta, out,
                )  # fmt: skip
            else:
                launch(activation.activate, A, None, out, activation.NUMBERS[type(layer)], activation.parameter(layer))
            A = out
        return A
