"""Augmentation varies training batches, and nothing else."""

from typing import Any

import numpy as np
import pytest

from engine import Dataset, EpochEnded, Finished, JobSpec, Network, Table, prepare, train

RNG = np.random.default_rng(0)
IMAGES = Dataset(
    {
        "train": Table({"x": RNG.integers(0, 256, (90, 8, 8), dtype=np.uint8), "label": RNG.integers(0, 3, 90)}),
        "test": Table({"x": RNG.integers(0, 256, (40, 8, 8), dtype=np.uint8), "label": RNG.integers(0, 3, 40)}),
    }
)
STRONG = [{"type": "shift"}, {"type": "rotate"}, {"type": "elastic"}, {"type": "noise"}, {"type": "mixup"}]
STILL = [{"type": "rotate", "degrees": 0}, {"type": "noise", "std": 0}, {"type": "mixup", "alpha": 0}]


def run(augment: list[dict[str, Any]], seed: int = 0, **fields: Any) -> tuple[list[EpochEnded], Finished]:
    spec = JobSpec.model_validate(
        {
            "data": {"train": "images", "target": "label", "split": {"type": "given"}, "augment": augment},
            "layers": [{"type": "dense", "units": 16}, {"type": "relu"}],
            "training": {"epochs": 3, "batch_size": 16, "keep": "last"},
            "checks": {"gradients": []},
            "seed": seed,
            **fields,
        }
    )
    data = prepare(spec.data, {"images": IMAGES}, loss=spec.loss.type, dtype=spec.precision)
    events = list(train(Network.of(spec, data.preprocessor), spec, data))
    last = events[-1]
    assert isinstance(last, Finished)
    return [event for event in events if isinstance(event, EpochEnded)], last


@pytest.mark.parametrize("batch_size", [16, "full"])
def test_augmentations_without_strength_train_the_very_same_network(batch_size: int | str) -> None:
    training = {"epochs": 3, "batch_size": batch_size, "keep": "last"}
    plain, still = (run(augment, training=training)[1].result["weights_sha256"] for augment in ([], STILL))
    assert plain == still


@pytest.mark.parametrize("batch_size", [16, "full"])
def test_the_same_seed_gives_the_same_bits_and_another_others(batch_size: int | str) -> None:
    training = {"epochs": 3, "batch_size": batch_size, "keep": "last"}
    hashes = [run(STRONG, seed, training=training)[1].result["weights_sha256"] for seed in (0, 0, 1)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert hashes[0] != run([], training=training)[1].result["weights_sha256"]


def test_what_is_measured_after_training_is_not_varied() -> None:
    """The reports are those of the kept model on the rows as they are."""
    _, last = run(STRONG)
    for part, table in IMAGES.parts.items():
        answers = last.model.predict(table.columns["x"][:].reshape(len(table.columns["x"]), -1))
        right = np.mean([a["label"] == label for a, label in zip(answers, table.columns["label"][:], strict=True)])
        report = last.result[part]
        assert isinstance(report, dict) and report["accuracy"] == pytest.approx(right)


def test_mixup_learns_with_class_weights() -> None:
    rows, _ = run([{"type": "mixup", "alpha": 1}], loss={"type": "softmax_cross_entropy", "class_weights": "balanced"})
    costs = [row.row["train_cost"] for row in rows]
    assert all(cost is not None and np.isfinite(cost) for cost in costs)
