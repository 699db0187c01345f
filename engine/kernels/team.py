"""The threads that take steps together, and how many of them a network is worth."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.denormals import flushed_denormals
from engine.examples import Examples
from engine.inputs import Matrix
from engine.kernels import blas, meeting, step
from engine.kernels.program import Program, can_run
from engine.losses import MeanSquaredError
from engine.network import Network, Target
from engine.parameters import Array, Arrays, Gradient, Parameters
from engine.random_streams import RandomStreams, mask_key
from engine.spec import JobSpec

WORTH = 2e7  # floating-point operations of a step for each thread; with less of them, meeting costs more than it saves
NO_SLOT: dict[np.dtype[np.floating], Array] = {np.dtype(kind): np.zeros(0, kind) for kind in (np.float32, np.float64)}
EVERY_ROW = np.zeros(0, np.int64)


class Inputs(NamedTuple):
    """Where the examples of some batches are: rows of x by number, or x itself, row by row."""

    x: Array
    gathered: bool
    rows: NDArray[np.int64]  # their numbers in the set; empty where x is the set from its start on
    answers: "Answers | None" = None  # to these rows, where they are not the set's


class Answers(NamedTuple):
    """What the network should say, row by row."""

    labels: NDArray[np.int64]  # the right answers, or none
    targets: Array  # m × k, or none: then they are those of the labels
    weights: Array  # of the rows, or of the labels, or none


class Team:
    """A program with everything it works on, and the threads that run it."""

    def __init__(
        self,
        program: Program,
        parameters: Parameters,
        gradient: Gradient,
        slots: Arrays,
        train: Examples,
        streams: RandomStreams,
    ) -> None:
        self.program, self.parameters, self.gradient, self.train = program, parameters, gradient, train
        dtype = program.dtype
        self.v = getattr(slots, "v", NO_SLOT[dtype])
        self.s = getattr(slots, "s", NO_SLOT[dtype])
        self.answers, self.table = answers_to(train, program)
        self.keys = mask_key(streams.seed, 0)
        self.pool = ThreadPoolExecutor(program.threads - 1, "step") if program.threads > 1 else None

    def run(
        self,
        inputs: Inputs,
        start: int,
        count: int,
        size: int,
        rates: NDArray[np.float64],
        t: int,
        totals: NDArray[np.float64],
        *,
        whole: bool = False,
    ) -> int:
        """Steps t, t + 1, … over `count` examples from `start` on; how many were taken.

        `totals` gains Σ cost·m, Σ loss·m and the right answers, followed by those of the last step itself. With
        `whole` the gradient of all parameters is left behind.
        """
        p, (labels, targets, weights) = self.program, inputs.answers or self.answers

        def part(thread: int) -> int:
            with flushed_denormals():
                return step.run(
                    blas.GEMM[p.dtype], *p.tables, p.places, p.arena, p.masks, self.parameters.theta,
                    self.gradient.vector, self.v, self.s, self.parameters.averages, inputs.x, inputs.gathered,
                    inputs.rows, start, labels, targets, self.table, weights, size, count, True, self.table, rates, t,
                    p.constants, p.clip_norm, whole, self.keys, p.sums, p.costs, totals, p.local, p.moments, p.blocks,
                    p.meeting, thread, p.threads, meeting.YIELD,
                )  # fmt: skip

        with blas.one_thread():
            p.meeting[:] = 0
            others = [self.pool.submit(part, thread) for thread in range(1, p.threads)] if self.pool else []
            taken = part(0)
            for other in others:
                other.result()
        return taken


def answers_to(examples: Examples, program: Program) -> tuple[Answers, Array]:
    """What the network should say to the examples, and the targets of every class, of which there may be none."""
    dtype, by_class = program.dtype, examples.by_class
    no_targets = np.zeros((0, program.network.n_out), dtype)
    answers = Answers(
        examples.y.astype(np.int64, copy=False) if by_class else EVERY_ROW,
        no_targets if by_class else np.ascontiguousarray(examples.targets, dtype),
        NO_SLOT[dtype] if examples.weights is None else examples.weights.reshape(-1),
    )
    return answers, np.ascontiguousarray(examples.table) if examples.table is not None else no_targets


def worthwhile_threads(network: Network, m: int) -> int:
    """As many threads as the BLAS may use, but no more than the network can keep busy with batches of m."""
    return max(1, min(blas.threads(), int(network.flops_per_example() * m / WORTH)))


def warm(precisions: Iterable[str] = ("float32", "float64")) -> None:
    """Have the machine code ready: compiled by the first process, read from disk by the others."""
    for precision in precisions:
        spec = JobSpec.model_validate(
            {
                "data": {"train": "none", "target": "none"},
                "precision": precision,
                "loss": {"type": "mean_squared_error"},
            }
        )
        network = Network(spec.layers, MeanSquaredError(), spec.regularization, 1, Target("values", 1))
        dtype, streams = np.dtype(precision), RandomStreams(0)
        if not can_run(network, spec, streams, dtype):
            continue
        numbers = np.zeros((2, 1), dtype)
        examples = Examples(network, Matrix(numbers, dtype), numbers, None, dtype)
        parameters, gradient = network.parameters(dtype), network.gradient(dtype)
        slots = Arrays(**{letter: np.zeros_like(parameters.theta) for letter in spec.optimizer.slots})
        team = Team(Program(network, spec, 2, dtype, 1), parameters, gradient, slots, examples, streams)
        team.run(Inputs(numbers, False, EVERY_ROW), 0, 2, 2, np.zeros(1), 1, np.zeros(8))
