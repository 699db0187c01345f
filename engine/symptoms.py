"""What a sick run looks like: named warnings, each given once, with what to do about it."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from engine.layer_statistics import LayerStatistics

DEEP = 4  # dense layers from which a geometric trend through them means something
TREND = 3.0  # growth or shrinking of the signal per layer
REACH = 1e3  # and over all layers together
PERSISTENT = 3  # measurements in a row before a share is more than bad luck
DEAD, SATURATED = 0.6, 0.75
WINDOW = 10  # epochs over which a standing cost is a plateau
STILL = 1e-4  # relative change of the cost over the window
FLAT = 1e-2  # gradient norm, relative to the largest seen
UNLEARNED = 0.9  # of the first cost: below, a standing cost is success


@dataclass(frozen=True)
class Symptom:
    """One illness, found at an epoch."""

    code: str
    message: str
    epoch: int


@dataclass
class Watch:
    """Looks at every measurement of the layers and says what is ill, each illness once."""

    named: set[str] = field(default_factory=set)
    dead: int = 0
    saturated: int = 0
    steepest: float = 0.0
    first_cost: float | None = None
    costs: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))

    def to_json(self) -> dict[str, object]:
        """What it has seen, for a checkpoint."""
        return {**vars(self), "named": sorted(self.named), "costs": list(self.costs)}

    @classmethod
    def from_json(cls, seen: Mapping[str, Any]) -> Self:
        """A watch that goes on where another was."""
        costs = deque(seen["costs"], maxlen=WINDOW)
        return cls(**{**seen, "named": set(seen["named"]), "costs": costs})

    def look(self, epoch: int, cost: float, layers: Sequence[LayerStatistics]) -> Iterator[Symptom]:
        """The symptoms that show for the first time in this epoch."""
        for code, message in self._found(cost, layers):
            if code not in self.named:
                self.named.add(code)
                yield Symptom(code, message, epoch)

    def _found(self, cost: float, layers: Sequence[LayerStatistics]) -> Iterator[tuple[str, str]]:
        yield from geometric_trend([layer.signal for layer in layers])
        symmetric = [layer.layer for layer in layers if layer.symmetric]
        if symmetric:
            yield (
                "symmetric_units",
                f"all units of layer {symmetric[0]} have the same weights and will stay alike; initialize at random "
                "(initializer: he or xavier)",
            )
        yield from self._dying(layers)
        yield from self._saturating(layers)
        yield from self._standing(cost, layers, bool(symmetric))

    def _dying(self, layers: Sequence[LayerStatistics]) -> Iterator[tuple[str, str]]:
        worst = max(layers, key=lambda layer: 0.0 if layer.symmetric else layer.dead_share or 0.0)
        self.dead = self.dead + 1 if not worst.symmetric and (worst.dead_share or 0) >= DEAD else 0
        if self.dead >= PERSISTENT:
            yield (
                "dead_units",
                f"{worst.dead_share:.0%} of the ReLUs behind layer {worst.layer} are off for every example and learn "
                "nothing; lower the learning rate, initialize with he, or use leaky_relu",
            )

    def _saturating(self, layers: Sequence[LayerStatistics]) -> Iterator[tuple[str, str]]:
        worst = max(layers, key=lambda layer: layer.saturated_share or 0.0)
        self.saturated = self.saturated + 1 if (worst.saturated_share or 0) >= SATURATED else 0
        if self.saturated >= PERSISTENT:
            yield (
                "saturated_units",
                f"{worst.saturated_share:.0%} of the activations behind layer {worst.layer} are near their limits, "
                "where the slope is almost 0; normalize the inputs, initialize smaller (xavier), or add batch_norm",
            )

    def _standing(self, cost: float, layers: Sequence[LayerStatistics], symmetric: bool) -> Iterator[tuple[str, str]]:
        steepness = float(np.sqrt(sum(layer.gradient_norm**2 for layer in layers)))
        self.steepest = max(self.steepest, steepness)
        self.first_cost = cost if self.first_cost is None else self.first_cost
        self.costs.append(cost)
        still = len(self.costs) == WINDOW and max(self.costs) - min(self.costs) <= STILL * abs(cost)
        flat = steepness <= FLAT * self.steepest or steepness <= 1e-6
        if still and flat and not symmetric and cost > UNLEARNED * self.first_cost:
            yield (
                "plateau",
                f"the gradient is almost 0 (norm {steepness:.2g}) and the cost stands at {cost:.4g}, hardly below "
                "where it began: a plateau or saddle; use adam or momentum, a larger learning rate, or other weights",
            )


def geometric_trend(signals: Sequence[float]) -> Iterator[tuple[str, str]]:
    """Vanishing or exploding, where the signal falls or rises by a factor a layer on its way to the input."""
    if len(signals) < DEEP or min(signals) <= 0:
        return
    logs = np.log(signals)
    per_layer = float(np.exp(np.polyfit(np.arange(len(logs)), logs, 1)[0]))  # growth from the input to the output
    ratio = signals[0] / signals[-1]
    if per_layer >= TREND and ratio <= 1 / REACH:
        yield (
            "vanishing_gradients",
            f"the gradient's signal shrinks about {per_layer:.2g}-fold per layer towards the input, "
            f"{1 / ratio:.2g}-fold in all; use relu with he, batch_norm, or fewer layers",
        )
    if 1 / per_layer >= TREND and ratio >= REACH:
        yield (
            "exploding_gradients",
            f"the gradient's signal grows about {1 / per_layer:.2g}-fold per layer towards the input, "
            f"{ratio:.2g}-fold in all; initialize smaller (he, xavier), add batch_norm, or set training.clip_norm",
        )
