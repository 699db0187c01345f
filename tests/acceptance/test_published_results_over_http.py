"""The course's published results, reproduced over HTTP only: upload the field and the weights, train, read the numbers.

Weights are those of NumPy's legacy generator, uploaded as given parameters; float64, full batch, no scaling.
"""

import io
from collections.abc import Callable
from itertools import pairwise
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from trainshed import Client

pytestmark = [pytest.mark.shared_data, pytest.mark.accept]

CIRCLES, FOOTBALL = [2, 10, 5, 1], [2, 20, 3, 1]


def npz(**arrays: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def legacy_weights(sizes: list[int], scale: Callable[[int], float]) -> bytes:
    """RandomState(3).randn(n_l, n_{l−1}) × scale, transposed into W: n_in × n_out; biases 0."""
    generator = np.random.RandomState(3)
    arrays = {}
    for layer, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
        arrays[f"W{layer}"] = np.ascontiguousarray((generator.randn(n_out, n_in) * scale(n_in)).T)
        arrays[f"b{layer}"] = np.zeros(n_out)
    return npz(**arrays)


def train(client: Client, field: Path, sizes: list[int], scale: Callable[[int], float], **spec: Any) -> dict[str, Any]:
    """The finished job, with its cost at every epoch under `costs`."""
    dataset = client.datasets.upload(f"course-{field.stem}", field)  # the bare name is a sample set's
    name = f"{field.stem}-{scale(2):.6f}"
    client.parameters.upload(name, legacy_weights(sizes, scale), "application/x-npz")
    hidden = [layer for units in sizes[1:-1] for layer in ({"type": "dense", "units": units}, {"type": "relu"})]
    job = client.jobs.submit(
        {
            "data": {
                "train": dataset["id"],
                "target": "label",
                "split": {"type": "given"},
                "normalize": {"type": "none"},
            },
            "layers": hidden,
            "initializer": {"type": "given", "parameters": name},
            "precision": "float64",
            "checks": {"gradients": []},
            **spec,
        }
    )
    done: dict[str, Any] = dict(client.jobs.wait(job["id"], 300))
    done["costs"] = {row["epoch"] - 1: row["train_cost"] for row in client.jobs.metrics(job["id"])}
    return done


def descent(rate: float, epochs: int) -> dict[str, Any]:
    return {
        "optimizer": {"type": "gradient_descent", "learning_rate": rate},
        "training": {"epochs": epochs, "batch_size": "full"},
    }


def accuracies(job: dict[str, Any]) -> tuple[float, float]:
    return job["result"]["train"]["accuracy"], job["result"]["test"]["accuracy"]


def test_zeros_learn_nothing(client: Client, shared_data: Path) -> None:
    job = train(client, shared_data / "circles.npz", CIRCLES, lambda n: 0.0, **descent(0.01, 15_000))
    assert accuracies(job) == (0.5, 0.5)
    for cost in job["costs"].values():
        assert cost == pytest.approx(0.6931471805599453, rel=1e-9)


def test_large_weights_learn_badly(client: Client, shared_data: Path) -> None:
    job = train(client, shared_data / "circles.npz", CIRCLES, lambda n: 10.0, **descent(0.01, 15_000))
    assert accuracies(job) == pytest.approx((0.83, 0.86), abs=2e-3)


def test_he_weights_learn(client: Client, shared_data: Path) -> None:
    job = train(client, shared_data / "circles.npz", CIRCLES, lambda n: sqrt(2 / n), **descent(0.01, 15_000))
    assert accuracies(job) == pytest.approx((0.99333, 0.96), abs=5e-6)
    assert job["costs"][0] == pytest.approx(0.8830537463419761, rel=1e-9)
    assert job["costs"][1000] == pytest.approx(0.6879825919728063, rel=1e-9)
    assert job["costs"][14_000] == pytest.approx(0.07357895962677366, rel=1e-9)


def test_without_regularization(client: Client, shared_data: Path) -> None:
    job = train(client, shared_data / "football.npz", FOOTBALL, lambda n: 1 / sqrt(n), **descent(0.3, 30_000))
    assert accuracies(job) == pytest.approx((0.947867, 0.915), abs=5e-7)
    assert job["costs"][0] == pytest.approx(0.6557412523481002, rel=1e-9)
    assert job["costs"][10_000] == pytest.approx(0.16329987525724, rel=1e-9)
    assert job["costs"][20_000] == pytest.approx(0.138516424232, rel=1e-9)


def test_with_l2(client: Client, shared_data: Path) -> None:
    job = train(
        client,
        shared_data / "football.npz",
        FOOTBALL,
        lambda n: 1 / sqrt(n),
        regularization={"l2": 0.7},
        **descent(0.3, 30_000),
    )
    assert accuracies(job) == pytest.approx((0.938389, 0.93), abs=5e-7)
    assert job["costs"][0] == pytest.approx(0.6974484493131264, rel=1e-9)
    assert job["costs"][10_000] == pytest.approx(0.2684918873282239, rel=1e-9)
    assert job["costs"][20_000] == pytest.approx(0.26809163371273, rel=1e-9)
