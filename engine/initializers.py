"""How the weights begin: random, to break the symmetry between units, and scaled to the width they come from.

Biases and β begin at 0, γ at 1.
"""

from abc import abstractmethod
from math import sqrt
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine.component import Component
from engine.family import Family

Distribution = Annotated[
    Literal["normal", "uniform"],
    Field("normal", description="the shape of the distribution; a uniform one has the same standard deviation"),
]


class Initializer(Component):
    """Draws W: n_in × n_out."""

    @abstractmethod
    def scale(self, n_in: int, n_out: int, activation: str) -> float:
        """The standard deviation of the weights of a dense layer followed by this activation."""

    def draw(self, n_in: int, n_out: int, activation: str, generator: np.random.Generator) -> NDArray[np.float64]:
        """The weights, always drawn in float64, so that every precision starts alike."""
        scale = self.scale(n_in, n_out, activation)
        if getattr(self, "distribution", "normal") == "uniform":
            return generator.uniform(-1, 1, (n_in, n_out)) * (scale * sqrt(3))
        return generator.standard_normal((n_in, n_out)) * scale


class Zeros(Initializer):
    """W = 0: every unit of a layer stays the same as its neighbors; here to show that it fails."""

    type: Literal["zeros"] = "zeros"

    def scale(self, n_in: int, n_out: int, activation: str) -> float:
        return 0.0


class Normal(Initializer):
    """W ~ randn · std: too small makes signals vanish, too large makes them explode."""

    type: Literal["normal"] = "normal"
    std: float = Field(0.01, gt=0, description="standard deviation of every weight, whatever the layer's width")
    distribution: Distribution = "normal"

    def scale(self, n_in: int, n_out: int, activation: str) -> float:
        return self.std


class He(Initializer):
    """W ~ randn · √(2/n_in), for ReLU and its kin (He et al. 2015)."""

    type: Literal["he"] = "he"
    distribution: Distribution = "normal"

    def scale(self, n_in: int, n_out: int, activation: str) -> float:
        return sqrt(2 / n_in)


class Xavier(Initializer):
    """W ~ randn · √(1/n_in), for tanh and sigmoid."""

    type: Literal["xavier"] = "xavier"
    distribution: Distribution = "normal"

    def scale(self, n_in: int, n_out: int, activation: str) -> float:
        return sqrt(1 / n_in)


class Glorot(Initializer):
    """W ~ randn · √(2/(n_in + n_out)): keeps forward and backward signals alike (Glorot and Bengio 2010)."""

    type: Literal["glorot"] = "glorot"
    distribution: Distribution = "normal"

    def scale(self, n_in: int, n_out: int, activation: str) -> float:
        return sqrt(2 / (n_in + n_out))


class AutoInitializer(Initializer):
    """He before ReLU, leaky ReLU, ELU, GELU and SiLU; Xavier before everything else and at the output."""

    type: Literal["auto"] = "auto"
    distribution: Distribution = "normal"

    def scale(self, n_in: int, n_out: int, activation: str) -> float:
        rectified = activation in ("relu", "leaky_relu", "elu", "gelu", "silu")
        return (He() if rectified else Xavier()).scale(n_in, n_out, activation)


class Given(Initializer):
    """Every parameter as uploaded: W1 b1 W2 b2 …, W: n_in × n_out, with batch norm also gamma1 beta1 …."""

    type: Literal["given"] = "given"
    parameters: str = Field(
        min_length=1, max_length=64, description="name or id of a parameter set (POST /v1/parameters)"
    )

    def scale(self, n_in: int, n_out: int, activation: str) -> float:
        return 0.0  # nothing is drawn: the uploaded arrays replace every parameter


AnyInitializer = Annotated[AutoInitializer | Zeros | Normal | He | Xavier | Glorot | Given, Family()]
