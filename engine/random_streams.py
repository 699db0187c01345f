"""Every random number of a run, as a function of the seed, its purpose and the moment it is needed.

Initial weights and the order of the examples come from seeded generators. Masks come from a counter-based one
(Philox): the numbers of step t do not depend on how many were drawn before, so a run resumed at step t draws
the same ones.
"""

import numpy as np
from numpy.typing import NDArray

from engine.parameters import Array

_INITIAL, _ORDER, _MASK, _CHECK = range(4)


def mask_key(seed: int, layer: int) -> NDArray[np.uint64]:
    """Philox's key for the masks of a layer; its counter begins at (0, step, 0, 0)."""
    return np.array([seed, (_MASK << 32) + layer], np.uint64)


class RandomStreams:
    """The random numbers of one seed; a subclass may replace any of them by a recorded series."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._philox = np.random.Philox(key=np.zeros(2, np.uint64))
        self._masks = np.random.Generator(self._philox)
        self._state = self._philox.state

    def initial(self) -> np.random.Generator:
        """The generator of the initial weights."""
        return np.random.default_rng([self.seed, _INITIAL])

    def order(self, epoch: int, m: int, window: int | None = None) -> NDArray[np.intp]:
        """The order in which epoch (counted from 1) sees the m examples, or those of one window of them."""
        return np.random.default_rng([self.seed, _ORDER, epoch, *([] if window is None else [window])]).permutation(m)

    def check(self, seed: int) -> np.random.Generator:
        """The generator that picks a gradient check's examples and components."""
        return np.random.default_rng([self.seed, _CHECK, seed])

    def uniform(self, layer: int, step: int, out: Array) -> None:
        """Fill `out` with numbers in [0, 1) for this layer at this step (counted from 1)."""
        state = self._state
        state["state"]["key"][:] = mask_key(self.seed, layer)
        state["state"]["counter"][:] = (0, step, 0, 0)
        state["buffer_pos"] = 4  # nothing buffered: the next draw starts a new block
        state["has_uint32"] = 0
        self._philox.state = state
        self._masks.random(out=out, dtype=out.dtype.type)
