"""MNIST with and without augmentation: what random shifts, turns and pulls are worth on the test set."""

from typing import Any

from engine import Dataset, JobSpec, Table
from tests.acceptance.long.mnist import arrays, common, trained
from tests.acceptance.long.runs import Advance, LongRun, Verdict

EPOCHS = 6
SEEDS = (0, 1, 2)
AUGMENT = [
    {"type": "shift", "horizontal": 0.06, "vertical": 0.06},
    {"type": "rotate", "degrees": 10},
    {"type": "elastic", "strength": 0.03},
]


def accuracy(seed: int, augment: list[dict[str, Any]], dataset: Dataset, advance: Advance) -> float:
    """On the test set, of a 784-512-512-10 network after its last epoch."""
    spec: dict[str, Any] = common(EPOCHS, 128)
    spec["data"]["augment"] = augment
    spec |= {
        "layers": [{"type": "dense", "units": 512}, {"type": "relu"}] * 2,
        "schedule": {"type": "cosine"},
        "seed": seed,
    }
    report = trained(JobSpec.model_validate(spec), dataset, advance).result["test"]
    return float(report["accuracy"]) if isinstance(report, dict) else 0.0


def with_and_without(advance: Advance) -> list[Verdict]:
    """Better with than without, seed by seed; all else is equal."""
    mnist = arrays()
    parts = {part: Table({"x": mnist[f"x_{part}"], "label": mnist[f"y_{part}"]}) for part in ("train", "test")}
    verdicts = []
    for seed in SEEDS:
        plain, varied = (accuracy(seed, augment, Dataset(parts), advance) for augment in ([], AUGMENT))
        claim = f"seed {seed}: better on test with augmentation than without"
        verdicts.append(Verdict(claim, f"{varied:.2%} with, {plain:.2%} without", varied > plain))
    return verdicts


RUNS = [LongRun("MNIST augmented", EPOCHS * len(SEEDS) * 2, with_and_without)]
