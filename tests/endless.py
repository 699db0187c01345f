"""A job that cannot end while a test looks at it: 100,000 epochs of one example a step, hours on any machine."""

from typing import Any

ENDLESS: dict[str, Any] = {
    "data": {"train": "digits", "target": "label"},
    "layers": [{"type": "dense", "units": 16}, {"type": "relu"}],
    "training": {"epochs": 100_000, "batch_size": 1},
    "checks": {"gradients": []},
}
