"""The mixed load: small jobs of every kind, each a few seconds long, so that a kill finds them at all stages."""

from io import BytesIO
from typing import Any

import numpy as np

from engine import JobSpec
from worker.workspace import Workspace

DENSE = [{"type": "dense", "units": 24}, {"type": "relu"}]
WIDE = [{"type": "dense", "units": 400}, {"type": "relu"}, {"type": "dense", "units": 400}, {"type": "relu"}]


def specs(seed: int, length: float = 1.0) -> dict[str, JobSpec]:
    """By name; `length` stretches them."""

    def job(train: str, target: str, epochs: int, data: dict[str, Any] | None = None, **fields: Any) -> JobSpec:
        training = {"epochs": max(2, round(epochs * length))} | fields.pop("training", {})
        return JobSpec.model_validate(
            {
                "data": {"train": train, "target": target} | (data or {}),
                "layers": DENSE,
                "training": training,
                "checks": {"gradients": []},
                "seed": seed,
            }
            | fields
        )

    return {
        "full batch, float64": job("iris", "label", 4000, training={"batch_size": "full"}, precision="float64"),
        "dropout and batch norm": job(
            "digits",
            "label",
            60,
            layers=[{"type": "dense", "units": 64}, {"type": "batch_norm"}, {"type": "relu"}, {"type": "dropout"}],
            checks={"gradients": ["start", 3, "end"]},
        ),
        "early stopping": job(
            "diabetes",
            "target",
            2000,
            optimizer={"type": "momentum", "learning_rate": 1e-4},
            training={"early_stopping": {"patience": 400}, "batch_size": 32},
        ),
        "few long epochs": job("pixels", "label", 8, training={"batch_size": 1, "keep": "last"}, layers=WIDE),
        "augmented": job(
            "pixels", "label", 5, data={"augment": [{"type": "shift"}, {"type": "rotate"}, {"type": "mixup"}]}
        ),
        "scheduled": job(
            "moons", "label", 600, schedule={"type": "cosine", "per": "step"}, training={"batch_size": 16}
        ),
    }


def upload(backend: Workspace, rows: int = 3000) -> None:
    """Little pictures that have to stay in their file where `max_data_bytes` is less than they take."""
    x = np.random.default_rng(0).integers(0, 256, (rows, 12, 12), np.uint8)
    content = BytesIO()
    np.savez(content, x=x, y=x[:, 0, 0] // 64)
    with backend.receive() as received:
        received.write(content.getvalue())
        backend.datasets.add("pixels", "application/x-npz", received)
