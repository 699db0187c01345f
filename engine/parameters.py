"""Where each parameter lives: all of them in one flat vector θ with named views, weights first.

The gradient and every optimizer slot are vectors of the same layout, so a penalty on the weights is a slice,
and clipping, updating, checking and saving see one array.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Self, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from engine.errors import ShapeMismatch

Array: TypeAlias = NDArray[np.floating]
Shape: TypeAlias = tuple[int, ...]


class Arrays:
    """Arrays by the letters of the derivation: `p.W`, `g.b`, `c.Z`."""

    def __init__(self, **arrays: Array) -> None:
        vars(self).update(arrays)

    if TYPE_CHECKING:

        def __getattr__(self, letter: str) -> Array: ...

        def __setattr__(self, letter: str, value: object) -> None: ...


@dataclass(frozen=True)
class Place:
    """One named tensor inside a flat vector."""

    name: str  # as uploads and reports call it: W1, b1, gamma1
    layer: int  # index into the network's layers
    letter: str  # as the layer calls it: W, b, gamma
    shape: Shape
    offset: int

    @property
    def size(self) -> int:
        return prod(self.shape)

    def view(self, vector: Array) -> Array:
        return vector[self.offset : self.offset + self.size].reshape(self.shape)


class Layout:
    """The places of a vector, one after the other in the order given."""

    def __init__(self, tensors: Sequence[tuple[str, int, str, Shape]], layers: int) -> None:
        places, offset = [], 0
        for name, layer, letter, shape in tensors:
            places.append(Place(name, layer, letter, shape, offset))
            offset += prod(shape)
        self.places = tuple(places)
        self.size = offset
        self.layers = layers
        self.weights = sum(place.size for place in places if place.letter == "W")  # they stand first

    def letters(self, vector: Array) -> list[Arrays]:
        """The views of each layer, by letter."""
        views = [Arrays() for _ in range(self.layers)]
        for place in self.places:
            setattr(views[place.layer], place.letter, place.view(vector))
        return views

    def named(self, vector: Array) -> dict[str, Array]:
        """The views by name, in the order of the vector."""
        return {place.name: place.view(vector) for place in self.places}


class Gradient:
    """∂J/∂θ: one vector in the layout of θ, with each layer's views."""

    def __init__(self, layout: Layout, dtype: DTypeLike) -> None:
        self.vector: Array = np.zeros(layout.size, dtype)
        self.layers = layout.letters(self.vector)


class Parameters:
    """What a network has learned: θ, and the running averages of its batch norms."""

    def __init__(self, layout: Layout, averages_layout: Layout, dtype: DTypeLike) -> None:
        self.layout = layout
        self.averages_layout = averages_layout
        self.theta: Array = np.zeros(layout.size, dtype)
        self.averages: Array = np.zeros(averages_layout.size, dtype)
        self.layers = layout.letters(self.theta)
        for views, averages in zip(self.layers, averages_layout.letters(self.averages), strict=True):
            vars(views).update(vars(averages))

    def astype(self, dtype: DTypeLike) -> "Parameters":
        """A copy in another precision."""
        copy = Parameters(self.layout, self.averages_layout, dtype)
        copy.theta[:] = self.theta
        copy.averages[:] = self.averages
        return copy

    def copy(self) -> "Parameters":
        return self.astype(self.theta.dtype)

    def take_from(self, other: Self) -> None:
        """Overwrite this set with another, without allocating."""
        np.copyto(self.theta, other.theta)
        np.copyto(self.averages, other.averages)

    def named(self) -> dict[str, Array]:
        """Every tensor by name: W1, b1, gamma1, and the running mean1, variance1."""
        return self.layout.named(self.theta) | self.averages_layout.named(self.averages)

    def load(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Overwrite the parameters with named arrays, as an upload or a model holds them.

        Running averages may be left out. A bias that batch norm replaces here is taken out of the running mean,
        γ·(Z + b − μ) = γ·(Z − (μ − b)), which answers the same. Raises ShapeMismatch for a name that is missing or
        unknown, or a shape that does not fit.
        """
        own = self.named()
        arrays = without_replaced_biases(arrays, own)
        optional = {place.name for place in self.averages_layout.places}
        if missing := [name for name in own if name not in arrays and name not in optional]:
            raise ShapeMismatch(f"the parameters lack {', '.join(missing)}; this network needs {', '.join(own)}")
        if unknown := [name for name in arrays if name not in own]:
            raise ShapeMismatch(
                f"the parameters hold {', '.join(unknown)}, which this network does not have; it has {', '.join(own)}"
            )
        for name, array in arrays.items():
            target = own[name]
            given = array.reshape(-1) if target.ndim == 1 and array.size == target.size else array
            if given.shape != target.shape:
                raise ShapeMismatch(f"{name} has shape {array.shape}, this network needs {target.shape}")
            target[...] = given

    def sha256(self) -> str:
        """The hash of θ and the running averages, bytes as they are in memory."""
        digest = hashlib.sha256(np.ascontiguousarray(self.theta).data)
        digest.update(np.ascontiguousarray(self.averages).data)
        return digest.hexdigest()


def without_replaced_biases(
    arrays: Mapping[str, NDArray[np.generic]], own: Mapping[str, Array]
) -> dict[str, NDArray[np.generic]]:
    """The arrays without the biases that this network leaves to batch norm, whose running means give them up."""
    kept = dict(arrays)
    for name, bias in arrays.items():
        mean = f"mean{name.removeprefix('b')}"
        if not re.fullmatch(r"b\d+", name) or name in own or mean not in own:
            continue
        if bias.size != own[mean].size:
            raise ShapeMismatch(f"{name} has shape {bias.shape}, the batch norm that replaces it has {own[mean].shape}")
        del kept[name]
        if mean in kept and kept[mean].size == bias.size:
            kept[mean] = kept[mean].reshape(-1).astype(np.float64) - bias.reshape(-1).astype(np.float64)
    return kept
