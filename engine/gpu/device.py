"""What a step needs of a device: memory, kernels and products one after the other, and copies beside them.

Work is enqueued and runs in the order it came; nothing waits for it but `fetch`. `Processor` carries it out at once,
with NumPy and by the plain formulas: the text that the GPU is held against.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
from numpy.typing import DTypeLike, NDArray

from engine.errors import OutOfMemory
from engine.gpu.kernel import Array, Kernel
from engine.parameters import Shape


class Device(ABC):
    """Where the arrays of a run are, and what is done to them."""

    name: str
    wanted: int = 0  # bytes that have been asked for since the last `begin`

    @abstractmethod
    def begin(self, dtype: np.dtype[np.floating], *, tf32: bool) -> None:
        """Make room for a new run, and say what its numbers are and how the factors of its products are rounded."""

    @abstractmethod
    def free(self) -> int:
        """Bytes of memory that can still be had."""

    @abstractmethod
    def zeros(self, shape: Shape | int, dtype: DTypeLike) -> Array:
        """Memory on the device; raises OutOfMemory."""

    @abstractmethod
    def staging(self, shape: Shape | int, dtype: DTypeLike) -> Array:
        """Memory of the host that copies may be made from while both go on."""

    @abstractmethod
    def send(self, source: NDArray[np.generic], target: Array, *, beside: bool = False) -> None:
        """Copy from the host, behind all that is enqueued, or `beside` it; the source must stay until it is there."""

    @abstractmethod
    def fetch(self, source: Array, target: NDArray[np.generic]) -> None:
        """Copy to the host, once all that is enqueued has been done."""

    @abstractmethod
    def copy(self, source: Array, target: Array) -> None:
        """Enqueue a copy on the device."""

    @abstractmethod
    def launch(self, kernel: Kernel, *arguments: Array | float | None) -> None:
        """Enqueue a kernel."""

    @abstractmethod
    def product(self, A: Array, B: Array, out: Array, *, transposed: str = "") -> None:
        """Enqueue out = A·B, with A, B or none of them transposed."""

    @abstractmethod
    def recorded(self, enqueue: Callable[[], None]) -> Callable[[], None]:
        """What enqueues the same work again, as a whole; nothing of it is done by recording it."""

    @abstractmethod
    def mark(self) -> Callable[[], None]:
        """A wait for all that has been enqueued up to now."""

    @abstractmethod
    def meet(self) -> None:
        """Have what is enqueued from now on wait for the copies beside it."""


class Processor(Device):
    """The plain formulas on the processor, each when it is enqueued."""

    name = "processor"

    def __init__(self, memory: int | None = None) -> None:
        self.memory, self.wanted, self.launched = memory, 0, 0

    def begin(self, dtype: np.dtype[np.floating], *, tf32: bool) -> None:
        self.wanted = 0

    def free(self) -> int:
        return 1 << 62 if self.memory is None else self.memory - self.wanted

    def zeros(self, shape: Shape | int, dtype: DTypeLike) -> Array:
        there, made = self.free(), np.zeros(shape, dtype)
        self.wanted += made.nbytes
        if made.nbytes > there:
            raise OutOfMemory(self.name, self.wanted, there + self.wanted - made.nbytes)
        return made

    def staging(self, shape: Shape | int, dtype: DTypeLike) -> Array:
        return np.zeros(shape, dtype)

    def send(self, source: NDArray[np.generic], target: Array, *, beside: bool = False) -> None:
        np.copyto(target, source)

    def fetch(self, source: Array, target: NDArray[np.generic]) -> None:
        np.copyto(target, source)

    def copy(self, source: Array, target: Array) -> None:
        np.copyto(target, source)

    def launch(self, kernel: Kernel, *arguments: Array | float | None) -> None:
        self.launched += 1
        with np.errstate(all="ignore"):  # a cost that is not finite ends the run by name, not by warnings
            kernel.plain(*arguments)

    def product(self, A: Array, B: Array, out: Array, *, transposed: str = "") -> None:
        with np.errstate(all="ignore"):
            np.matmul(A.T if transposed == "A" else A, B.T if transposed == "B" else B, out=out)

    def recorded(self, enqueue: Callable[[], None]) -> Callable[[], None]:
        return enqueue

    def mark(self) -> Callable[[], None]:
        return lambda: None

    def meet(self) -> None:
        pass
