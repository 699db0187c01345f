"""What is measured while a job trains."""

from typing import TypeAlias, TypedDict

MetricsRow: TypeAlias = dict[str, float | int | str | None]
"""One epoch: `epoch`, `step`, `learning_rate`, `train_cost`, …, null where a number was not finite, and `at`."""


class LayerStatistics(TypedDict):
    """How one dense layer did, with the activation behind it; null where that says nothing."""

    layer: int
    units: int
    weight_norm: float | None
    gradient_norm: float | None
    update_ratio: float | None
    signal: float | None
    dead_share: float | None
    saturated_share: float | None
    symmetric: bool


class LayersMeasured(TypedDict):
    """How every dense layer did in the last batch of an epoch."""

    epoch: int
    layers: list[LayerStatistics]
