"""What a training measures: a row an epoch, and how its layers did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

MetricsRow = Mapping[str, float | int | None]
"""A flat row: `epoch`, `step`, `learning_rate`, `train_cost`, …; null where a number was not finite."""


DatedRow = Mapping[str, float | int | str | None]
"""The same with `at`, the time when the epoch ended, in RFC 3339."""


@dataclass(frozen=True)
class LayersMeasured:
    """How every dense layer did in the last batch of an epoch."""

    epoch: int
    layers: Sequence[Mapping[str, JsonValue]]
