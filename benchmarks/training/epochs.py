"""An epoch of every shape by every contestant, plain or with batch norm and dropout behind every hidden layer."""

from collections.abc import Sequence
from statistics import median

from benchmarks.training.shapes import SHAPES
from benchmarks.training.turns import ratio, take_turns, trainer

NAMES = ("engine", "engine-mkl", "jax", "torch", "sklearn", "floor")
WITHOUT_BATCH_NORM = ("sklearn", "floor")  # one cannot, the other has nothing that it would cost


def epochs(
    shapes: Sequence[str], threads: Sequence[int], names: Sequence[str], rounds: int, peers: str, clock: str,
    regularized: bool,
) -> None:  # fmt: skip
    """Print the table, and the libraries that the contestants computed with."""
    names = [name for name in names if not (regularized and name in WITHOUT_BATCH_NORM)]
    ours = [name for name in names if name in ("engine", "engine-mkl")]
    pairs = [(our, other) for our in ours for other in names if other not in ours]
    print(f"\n## Seconds an epoch of 12 800 × 784{', with batch norm and dropout' if regularized else ''}\n")
    print("| hidden, batch | threads |", " | ".join([*names, *(f"{our} ÷ {other}" for our, other in pairs)]), "|")
    print("|---" * (2 + len(names) + len(pairs)) + "|")
    blas: dict[str, object] = {}
    for shape in shapes:
        for count in threads:
            entered = {name: trainer(name, SHAPES[shape], count, regularized, peers) for name in names}
            take_turns(list(entered.values()), rounds)
            times = {name: contestant.times(clock) for name, contestant in entered.items()}
            cells = [f"{median(times[name]):.4f}" for name in names]
            cells += [f"{ratio(times[our], times[other]):.2f}" for our, other in pairs]
            print(f"| {SHAPES[shape]} | {count} |", " | ".join(cells), "|", flush=True)
            blas |= {f"{name}, {count} threads": contestant.about for name, contestant in entered.items()}
    print()
    for name, libraries in blas.items():
        print(f"{name}: {libraries}")
