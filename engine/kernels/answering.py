"""The way forward alone: what a network says to a whole set of examples, and what that loses.

Blocks of rows are shared out among the threads, which never meet. A block is the same rows whoever takes it, so the
result does not depend on how many threads there are.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from engine.denormals import flushed_denormals
from engine.examples import Examples
from engine.inputs import Matrix
from engine.kernels import blas, meeting, step
from engine.kernels.program import Program
from engine.kernels.team import EVERY_ROW, NO_SLOT, WORTH, Inputs, answers_to
from engine.network import Network
from engine.parameters import Array, Parameters

BLOCK = 256  # rows: enough for the matrix product, and what becomes of them stays in a core's cache
NO_RATES, NO_KEYS = np.zeros(0), np.zeros(2, np.uint64)


class Answering:
    """A network's way forward, with the memory for it and the threads that share the work."""

    def __init__(self, network: Network, dtype: np.dtype[np.floating]) -> None:
        threads = blas.threads()
        self.network, self.program = network, Program(network, None, BLOCK * threads, dtype, threads)
        self.pool = ThreadPoolExecutor(threads - 1, "answer") if threads > 1 else None

    def run(self, parameters: Parameters, examples: Examples, logits: Array) -> float:
        """Overwrite `logits` (m × k) with what the network says to all examples; Σ of their losses."""
        total, inputs = 0.0, examples.inputs
        for portion in examples.portions(BLOCK):
            rows, X = portion.rows, portion.X
            if X is not None:
                numbers = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
                said = np.empty((len(numbers), self.network.n_out), logits.dtype)
                total += self._losses(parameters, examples, Inputs(X, False, numbers), said)
                logits[rows] = said
            elif isinstance(inputs, Matrix):
                total += self._losses(parameters, examples, Inputs(inputs.x, False, EVERY_ROW), logits)
        return total

    def _losses(self, parameters: Parameters, examples: Examples, source: Inputs, logits: Array) -> float:
        p, count = self.program, len(logits)
        blocks = -(-count // BLOCK)
        worth = int(2 * self.network.layout.weights * count / WORTH)
        threads = max(1, min(p.threads, blocks, worth))
        losses = np.zeros(blocks)
        (labels, targets, weights), table = answers_to(examples, p)
        nothing = NO_SLOT[p.dtype]

        def part(thread: int) -> None:
            with flushed_denormals():
                step.run(
                    blas.GEMM[p.dtype], *p.tables, p.places, p.arena, p.masks, parameters.theta, nothing, nothing,
                    nothing, parameters.averages, source.x, source.gathered, source.rows, 0, labels, targets, table,
                    weights, BLOCK, count, False, logits, NO_RATES, 0, p.constants, p.clip_norm, False, NO_KEYS,
                    p.sums, p.costs, losses, p.local, p.moments, p.blocks, p.meeting, thread, threads, meeting.YIELD,
                )  # fmt: skip

        with blas.one_thread():
            others = [self.pool.submit(part, thread) for thread in range(1, threads)] if self.pool else []
            part(0)
            for other in others:
                other.result()
        return float(losses.sum())
