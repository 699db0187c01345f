"""How each layer is doing, measured on the last batch of an epoch: the raw material of the warnings."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt

import numpy as np

from engine.activations import ReLU
from engine.layer import Cache
from engine.layers import Dense
from engine.network import Network
from engine.parameters import Array, Gradient, Parameters

SATURATED = 0.95  # share of its range beyond which an activation hardly moves any more


@dataclass(frozen=True)
class LayerStatistics:
    """One dense layer, with the activation behind it."""

    layer: int  # 1 is the first dense layer, as in W1
    units: int
    weight_norm: float  # ‖W‖
    gradient_norm: float  # ‖∂J/∂W‖ as the optimizer got it, penalty and clipping included
    update_ratio: float | None  # ‖ΔW‖/‖W‖ of the step; about 1e-3 is healthy
    signal: float  # root mean square of m·∂J/∂Z: what backpropagation brings to the layer
    dead_share: float | None  # units that were off for every example of the batch (ReLU only)
    saturated_share: float | None  # outputs in the outer 2.5 % of their range on either side (sigmoid, tanh)
    symmetric: bool  # every unit has the same weights as its neighbors, and so will stay the same

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def measure_layers(
    network: Network, parameters: Parameters, before: Array, gradient: Gradient, caches: Sequence[Cache]
) -> list[LayerStatistics]:
    """Measure after a step whose parameters were `before` and whose passes are still in the caches."""
    was = network.layout.letters(before)
    dense = [index for index, layer in enumerate(network.layers) if isinstance(layer, Dense)]
    rows = []
    for number, index in enumerate(dense, start=1):
        W, W_before, c = parameters.layers[index].W, was[index].W, caches[index]
        norm = euclidean_norm(W_before)
        dead, saturated = activation_shares(network, index, caches)
        rows.append(
            LayerStatistics(
                layer=number,
                units=W.shape[1],
                weight_norm=norm,
                gradient_norm=euclidean_norm(gradient.layers[index].W),
                update_ratio=euclidean_norm(W - W_before) / norm if norm else None,
                signal=sqrt(np.square(c.dZ).sum(dtype=np.float64) / c.dZ.size) * len(c.dZ),
                dead_share=dead,
                saturated_share=saturated,
                # Two units tell most networks apart, and a look at all of them takes as long as all the rest.
                symmetric=W.shape[1] > 1 and np.array_equal(W[:, 0], W[:, 1]) and bool(np.all(W[:, :1] == W)),
            )
        )
    return rows


def activation_shares(network: Network, index: int, caches: Sequence[Cache]) -> tuple[float | None, float | None]:
    """The dead and saturated shares of the activation that follows a dense layer, before the next one."""
    for layer, c in zip(network.layers[index + 1 :], caches[index + 1 :], strict=True):
        if isinstance(layer, Dense):
            break
        if isinstance(layer, ReLU):
            units = c.live.shape[1]
            return (units - int(np.count_nonzero(c.live.any(axis=0)))) / units, None
        if layer.range is not None:
            low, high = layer.range
            margin = (1 - SATURATED) / 2 * (high - low)
            return None, int(np.count_nonzero((low + margin > c.A) | (high - margin < c.A))) / c.A.size
    return None, None


def euclidean_norm(values: Array) -> float:
    """√Σx² of an array of any shape; `np.linalg.norm` takes longer to get there than to sum a small layer."""
    flat = values.ravel()
    return float(np.sqrt(flat.dot(flat)))
