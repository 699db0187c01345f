"""The networks that are timed: hidden units, the batch, and how many examples of 784 inputs and 10 classes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

EXAMPLES, INPUTS, CLASSES, RATE, KEEP = 12_800, 784, 10, 1e-3, 0.8


class Shape(NamedTuple):
    hidden: tuple[int, ...]
    batch: int
    examples: int = EXAMPLES

    def __str__(self) -> str:
        return f"{'-'.join(map(str, self.hidden))}, {self.batch}"

    @property
    def widths(self) -> tuple[int, ...]:
        return INPUTS, *self.hidden, CLASSES

    @property
    def multiplications(self) -> int:
        """Of an epoch's products: forward and the gradient for every layer, and back through all but the first."""
        weights = [k * n for k, n in zip(self.widths, self.widths[1:], strict=False)]
        return self.examples * (3 * sum(weights) - weights[0])


SHAPES = {
    "32": Shape((32,), 64),
    "128": Shape((128,), 128),
    "256-128": Shape((256, 128), 64),
    "512-512": Shape((512, 512), 128),
    "1024-1024-1024": Shape((1024, 1024, 1024), 256),
}


def examples(count: int = EXAMPLES) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    generator = np.random.default_rng(0)
    x = generator.random((count, INPUTS), np.float32)
    return x, (x[:, :CLASSES].argmax(axis=1)).astype(np.int64)
