"""What every layer of a network is: a stage with a forward and a backward, in the letters of the textbook.

A layer holds hyper-parameters only. Its parameters p, gradients g and buffers c are passed in, so it is stateless and
safe to share between threads. Buffers are made once per batch shape; a step allocates nothing.
"""

from abc import abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from engine.component import Component
from engine.parameters import Array, Arrays, Shape
from engine.random_streams import RandomStreams


class Mode(Enum):
    """What a pass through the network is for."""

    TRAIN = "train"  # dropout on; batch norm uses the batch and updates its running averages
    CHECK = "check"  # dropout off; batch norm uses the batch and leaves its running averages alone
    PREDICT = "predict"  # dropout off; batch norm uses its running averages


@dataclass
class Pass:
    """One pass through the network: its mode and, in training, the random numbers of its step."""

    mode: Mode
    streams: RandomStreams | None = None
    step: int = 0


class Cache(Arrays):
    """A layer's buffers for one batch shape, and what its last forward leaves for its backward."""

    index: int  # of the layer in its network
    first: bool  # no layer below this one learns
    dropped: bool  # the last forward drew a dropout mask


class Layer(Component):
    """One stage of the network: A = f(A_prev), one example a row."""

    kinked: ClassVar[bool] = False  # has a point without a derivative, which a gradient check may hit
    range: ClassVar[tuple[float, float] | None] = None  # the outputs it saturates at, if it does on both sides

    def width(self, n_in: int) -> int:
        """Units that come out for n_in that go in."""
        return n_in

    def parameters(self, n_in: int) -> dict[str, Shape]:
        """The shapes of what this layer learns by gradient, by letter."""
        return {}

    def averages(self, n_in: int) -> dict[str, Shape]:
        """The shapes of what this layer learns by averaging over batches, by letter."""
        return {}

    def buffers(self, m: int, n_in: int) -> dict[str, Shape]:
        """The shapes of the floating-point buffers for a batch of m, by letter."""
        return {}

    def flags(self, m: int, n_in: int) -> dict[str, Shape]:
        """The shapes of the boolean buffers for a batch of m, by letter."""
        return {}

    @abstractmethod
    def forward(self, A_prev: Array, p: Arrays, c: Cache, run: Pass) -> Array:
        """The layer's output, in one of its buffers; A_prev is kept for backward, not written to."""

    @abstractmethod
    def backward(self, dA: Array, p: Arrays, g: Arrays, c: Cache) -> Array:
        """∂J/∂A_prev for ∂J/∂A, which may be overwritten; ∂J/∂p goes to g."""
