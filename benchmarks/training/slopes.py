"""How the cost of an epoch grows with the examples, the width and the depth: slopes of log seconds over log size.

A slope of 1 is a cost in proportion. Beside it stands the slope of what has to be multiplied.
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import numpy as np

from benchmarks.training.shapes import Shape
from benchmarks.training.turns import take_turns, trainer

GROWING = {
    "examples, 256-128 b128": [(m, Shape((256, 128), 128, m)) for m in (6_400, 12_800, 25_600, 51_200)],
    "width, two equal layers b128": [(n, Shape((n, n), 128, 6_400)) for n in (128, 256, 512, 1024)],
    "depth, layers of 256 b128": [(d, Shape((256,) * d, 128, 6_400)) for d in (1, 2, 4, 8)],
}


def slope(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Of the straight line through their logarithms, by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def slopes(threads: Sequence[int], rounds: int, clock: str) -> None:
    print("\n## Growing cost: slopes of log seconds\n")
    print("| what grows | threads | sizes | seconds an epoch | slope | steepest | slope of the multiplications |")
    print("|---" * 7 + "|")
    for what, grown in GROWING.items():
        sizes, shapes = [size for size, _ in grown], [shape for _, shape in grown]
        work = slope(sizes, [shape.multiplications for shape in shapes])
        for count in threads:
            contestants = [trainer("engine", shape, count) for shape in shapes]
            take_turns(contestants, rounds)
            seconds = [median(contestant.times(clock)) for contestant in contestants]
            steepest = max(slope(sizes, times) for sizes, times in zip(pairwise(sizes), pairwise(seconds), strict=True))
            listed = " ".join(map(str, sizes)), " ".join(f"{one:.4f}" for one in seconds)
            print(f"| {what} | {count} | {listed[0]} | {listed[1]} | {slope(sizes, seconds):.2f} | {steepest:.2f} "
                  f"| {work:.2f} |", flush=True)  # fmt: skip
