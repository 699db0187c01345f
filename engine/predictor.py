"""What a network answers, the same bits for a row whatever rows come with it.

A BLAS picks its kernel by the shapes: a row alone, among three and among a thousand can differ in the last bits. So
every product here has one shape, `SMALL` rows, the last block filled up. Larger blocks, which are two to three times
as fast a row, are used where they give the very same bits on this machine, which is tried out once for a network.
"""

from threading import local

import numpy as np
from numpy.typing import NDArray

from engine.layer import Mode, Pass
from engine.network import Network, Workspace
from engine.parameters import Array, Parameters

SMALL = 16  # rows: full tiles of every kernel that OpenBLAS has, and hardly slower than one row
LARGER = (1024, 128)
SEED = 5


class Predictor:
    """A network with its parameters, buffers for a small block a thread, and some for large ones; thread-safe."""

    def __init__(self, network: Network, parameters: Parameters) -> None:
        self.network, self.parameters = network, parameters
        self.dtype = parameters.theta.dtype
        self._own = local()
        self._alike: dict[int, bool] = {}
        self._spare: dict[int, list[Workspace]] = {size: [] for size in LARGER}  # of blocks that nobody is at

    def __call__(self, X: Array) -> Array:
        """The answers (m × k), probabilities or values, for inputs X (m × n_in)."""
        answers = np.empty((len(X), self.network.n_out), self.dtype)
        start = 0
        for size in LARGER:
            if len(X) - start >= size and self.alike(size):
                spare = self._spare[size]
                try:
                    workspace = spare.pop()
                except IndexError:
                    workspace = self.network.workspace(size, self.dtype)
                while len(X) - start >= size:
                    answers[start : start + size] = self._answers(X[start : start + size], workspace)
                    start += size
                if not spare:
                    spare.append(workspace)
        size = SMALL if self.alike(SMALL) else 1
        workspace = self._workspace(size)
        while start < len(X):
            rows = X[start : start + size]
            workspace.X[: len(rows)] = rows  # the rows behind them are of an earlier block, and nobody looks at them
            answers[start : start + size] = self._answers(workspace.X, workspace)[: len(rows)]
            start += size
        return answers

    def alike(self, size: int) -> bool:
        """Whether blocks of so many rows give the bits that every row is to get.

        For `SMALL`: whether it matters where in the block a row stands. Otherwise: whether small blocks give the same.
        """
        if size not in self._alike:
            X = np.random.default_rng(SEED).standard_normal((size, self.network.n_in)).astype(self.dtype)
            workspace = self.network.workspace(size, self.dtype)
            whole = self._both(X, workspace)
            if size == SMALL:
                again = np.roll(self._both(np.roll(X, 5, axis=0), workspace), -5, axis=0)
            elif not self.alike(SMALL):
                again = whole[:0]
            else:
                workspace = self.network.workspace(SMALL, self.dtype)
                again = np.concatenate([self._both(X[at : at + SMALL], workspace) for at in range(0, size, SMALL)])
            self._alike[size] = np.array_equal(whole, again, equal_nan=True)
        return self._alike[size]

    def _answers(self, X: Array, workspace: Workspace) -> Array:
        """In a buffer of the workspace."""
        return self.network.loss.output(self.network.forward(X, self.parameters, workspace, Pass(Mode.PREDICT)))

    def _both(self, X: Array, workspace: Workspace) -> NDArray[np.floating]:
        """Logits and answers side by side: where answers saturate, logits still tell bits apart."""
        Z = self.network.forward(X, self.parameters, workspace, Pass(Mode.PREDICT)).copy()
        return np.concatenate([Z, self._answers(X, workspace)], axis=1)

    def _workspace(self, m: int) -> Workspace:
        made: Workspace | None = getattr(self._own, "workspace", None)
        if made is None:
            made = self._own.workspace = self.network.workspace(m, self.dtype)
        return made
