"""The end of a step: what the batch was worth, added up on the device, and the clock moved on to the next batch."""

import numpy as np

from engine.gpu.batch import FIRST, NUMBER, STEP
from engine.gpu.kernel import Array, in_one_block, kernel
from engine.gpu.update import COST

TAKEN, DIVERGED, SIZE = 6, 7, 8
"""Of the totals, behind those that `Descent.run` fills: steps that count, and whether the last one ended the run."""


@kernel(
    in_one_block,
    "losses",
    """
    (const double* losses, const whole* right, const double* parts, whole count, double* totals, whole* clock,
     whole height, whole width) {
        double sum = 0, penalty = 0, correct = 0;
        for (whole i = threadIdx.x; i < height; i += blockDim.x) {
            sum += losses[i];
            correct += (double)right[i];
        }
        if (parts) for (whole n = threadIdx.x; n < count; n += blockDim.x) penalty += parts[2 * n];
        sum = sum_of_block(sum);
        correct = sum_of_block(correct);
        penalty = sum_of_block(penalty);
        if (threadIdx.x != 0) return;
        const double mean = sum / (double)height, cost = mean + penalty;
        if (totals[7] == 0) {
            totals[0] += cost * (double)height;
            totals[1] += mean * (double)height;
            totals[2] += correct;
            totals[3] = cost;
            totals[4] = mean;
            totals[5] = correct;
            totals[6] += 1;
            totals[7] = !isfinite(cost);
        }
        clock[0] += height;
        clock[1] += 1;
        clock[2] += 1;
    }
    """,
)
def tally(losses: Array, right: Array, parts: Array | None, count: int, totals: Array, clock: Array) -> None:
    """totals gain Σ cost·m, Σ loss·m and the right answers, and then hold the step's own; the clock moves on.

    After a step whose cost is not finite nothing is added any more.
    """
    mean = losses.sum() / len(losses)
    cost = mean + (0.0 if parts is None else parts[:, COST].sum())
    correct = right.sum()
    if not totals[DIVERGED]:
        totals[:3] += cost * len(losses), mean * len(losses), correct
        totals[3:6] = cost, mean, correct
        totals[TAKEN] += 1
        totals[DIVERGED] = not np.isfinite(cost)
    clock[FIRST] += len(losses)
    clock[NUMBER] += 1
    clock[STEP] += 1
