"""What makes a stack of dense layers more than one: A = g(Z), with the derivative g'(Z) beside it."""

from math import pi, sqrt
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from engine.layer import Cache, Layer, Pass
from engine.parameters import Array, Arrays, Shape


class Activation(Layer):
    """A = g(Z), unit by unit."""

    def buffers(self, m: int, n_in: int) -> dict[str, Shape]:
        return {"A": (m, n_in)}


class Linear(Activation):
    """A = Z: no activation. Use it for a bottleneck; dense layers stacked this way are still a linear model."""

    type: Literal["linear"] = "linear"

    def buffers(self, m: int, n_in: int) -> dict[str, Shape]:
        return {}

    def forward(self, Z: Array, p: Arrays, c: Cache, run: Pass) -> Array:
        return Z

    def backward(self, dA: Array, p: Arrays, g: Arrays, c: Cache) -> Array:
        return dA


class Sigmoid(Activation):
    """A = σ(Z) = 1/(1 + e^−Z) = (1 + tanh(Z/2))/2, the form that cannot overflow.

    Use it for units that mean a share or a switch; in hidden layers tanh and ReLU learn faster.
    """

    type: Literal["sigmoid"] = "sigmoid"
    range: ClassVar[tuple[float, float] | None] = (0.0, 1.0)

    def buffers(self, m: int, n_in: int) -> dict[str, Shape]:
        return {"A": (m, n_in), "slope": (m, n_in)}

    def forward(self, Z: Array, p: Arrays, c: Cache, run: Pass) -> Array:
        return sigmoid(Z, out=c.A)

    def backward(self, dA: Array, p: Arrays, g: Arrays, c: Cache) -> Array:
        """g'(Z) = A(1 − A)."""
        np.subtract(1, c.A, out=c.slope)
        c.slope *= c.A
        dA *= c.slope
        return dA


class Tanh(Activation):
    """A = tanh(Z): a sigmoid centered on 0. Use it in shallow networks and where outputs should be bounded."""

    type: Literal["tanh"] = "tanh"
    range: ClassVar[tuple[float, float] | None] = (-1.0, 1.0)

    def buffers(self, m: int, n_in: int) -> dict[str, Shape]:
        return {"A": (m, n_in), "slope": (m, n_in)}

    def forward(self, Z: Array, p: Arrays, c: Cache, run: Pass) -> Array:
        return np.tanh(Z, out=c.A)

    def backward(self, dA: Array, p: Arrays, g: Arrays, c: Cache) -> Array:
        """g'(Z) = 1 − A²."""
        np.multiply(c.A, c.A, out=c.slope)
        np.subtract(1, c.slope, out=c.slope)
        dA *= c.slope
        return dA


class ReLU(Activation):
    """A = max(0, Z). The default choice for hidden layers; initialize with he."""

    type: Literal["relu"] = "relu"
    kinked: ClassVar[bool] = True

    def flags(self, m: int, n_in: int) -> dict[str, Shape]:
        return {"live": (m, n_in)}

    def forward(self, Z: Array, p: Arrays, c: Cache, run: Pass) -> Array:
        np.greater(Z, 0, out=c.live)
        return np.maximum(Z, 0, out=c.A)

    def backward(self, dA: Array, p: Arrays, g: Arrays, c: Cache) -> Array:
        """g'(Z) = 1 where Z > 0, else 0 (at 0 too)."""
        dA *= c.live
        return dA


class LeakyReLU(Activation):
    """A = max(slope·Z, Z): a ReLU whose dead half still learns. Use it where the job warns of dead units."""

    type: Literal["leaky_relu"] = "leaky_relu"
    slope: float = Field(0.01, ge=0, lt=1, description="g'(Z) for Z ≤ 0")
    kinked: ClassVar[bool] = True

    def flags(self, m: int, n_in: int) -> dict[str, Shape]:
        return {"live": (m, n_in)}

    def forward(self, Z: Array, p: Arrays, c: Cache, run: Pass) -> Array:
        np.greater(Z, 0, out=c.live)
        np.multiply(Z, self.slope, out=c.A)
        return np.maximum(Z, c.A, out=c.A)

    def backward(self, dA: Array, p: Arrays, g: Arrays, c: Cache) -> Array:
        """g'(Z) = 1 where Z > 0, else slope."""
        np.multiply(c.live, 1 - self.slope, out=c.A)  # the output is not needed any more
        c.A += self.slope
        dA *= c.A
        return dA


class ELU(Activation):
    """A = Z where Z > 0, else α(e^Z − 1): a ReLU with a smooth floor at −α (Clevert et al. 2015).

    Use it in place of ReLU where mean activations near 0 help and exponentials are affordable.
    """

    type: Literal["elu"] = "elu"
    alpha: float = Field(1.0, gt=0, description="depth of the floor; 1 makes the slope continuous at 0")
    kinked: ClassVar[bool] = True

    def buffers(self, m: int, n_in: int) -> dict[str, Shape]:
        return {"A": (m, n_in), "slope": (m, n_in)}

    def flags(self, m: int, n_in: int) -> dict[str, Shape]:
        return {"live": (m, n_in)}

    def forward(self, Z: Array, p: Arrays, c: Cache, run: Pass) -> Array:
        np.greater(Z, 0, out=c.live)
        np.minimum(Z, 0, out=c.slope)
        np.expm1(c.slope, out=c.slope)
        c.slope *= self.alpha
        np.maximum(Z, 0, out=c.A)
        c.A += c.slope
        return c.A

    def backward(self, dA: Array, p: Arrays, g: Arrays, c: Cache) -> Array:
        """g'(Z) = 1 where Z > 0, else α·e^Z = A + α."""
        c.slope += self.alpha
        np.copyto(c.slope, 1, where=c.live)
        dA *= c.slope
        return dA


class SiLU(Activation):
    """A = Z·σ(Z), also called swish. Use it in place of ReLU in deeper networks, for some more arithmetic."""

    type: Literal["silu"] = "silu"

    def buffers(self, m: int, n_in: int) -> dict[str, Shape]:
        return {"A": (m, n_in), "gate": (m, n_in), "slope": (m, n_in)}

    def forward(self, Z: Array, p: Arrays, c: Cache, run: Pass) -> Array:
        sigmoid(Z, out=c.gate)
        return np.multiply(Z, c.gate, out=c.A)

    def backward(self, dA: Array, p: Arrays, g: Arrays, c: Cache) -> Array:
        """g'(Z) = σ(Z) + A(1 − σ(Z))."""
        np.subtract(1, c.gate, out=c.slope)
        c.slope *= c.A
        c.slope += c.gate
        dA *= c.slope
        return dA


class GELU(Activation):
    """A = Z/2·(1 + T), T = tanh(√(2/π)·(Z + 0.044715·Z³)): the tanh form of Hendrycks and Gimpel 2016.

    Use it in place of ReLU in deeper networks, for some more arithmetic.
    """

    type: Literal["gelu"] = "gelu"

    def buffers(self, m: int, n_in: int) -> dict[str, Shape]:
        return {"A": (m, n_in), "T": (m, n_in), "slope": (m, n_in)}

    def forward(self, Z: Array, p: Arrays, c: Cache, run: Pass) -> Array:
        c.Z = Z
        np.multiply(Z, Z, out=c.T)
        c.T *= 0.044715
        c.T += 1
        c.T *= Z
        c.T *= sqrt(2 / pi)
        np.tanh(c.T, out=c.T)
        np.add(c.T, 1, out=c.A)
        c.A *= Z
        c.A *= 0.5
        return c.A

    def backward(self, dA: Array, p: Arrays, g: Arrays, c: Cache) -> Array:
        """g'(Z) = (1 + T)/2 + Z/2·(1 − T²)·√(2/π)·(1 + 3·0.044715·Z²)."""
        np.multiply(c.Z, c.Z, out=c.slope)
        c.slope *= 3 * 0.044715
        c.slope += 1
        c.slope *= sqrt(2 / pi) / 2
        c.slope *= c.Z
        np.multiply(c.T, c.T, out=c.A)  # the output is not needed any more
        np.subtract(1, c.A, out=c.A)
        c.slope *= c.A
        np.add(c.T, 1, out=c.A)
        c.A *= 0.5
        c.slope += c.A
        dA *= c.slope
        return dA


def sigmoid(Z: Array, out: Array) -> Array:
    """σ(Z) in place of `out`, without overflow."""
    np.multiply(Z, 0.5, out=out)
    np.tanh(out, out=out)
    out += 1
    out *= 0.5
    return out


AnyActivation = Linear | Sigmoid | Tanh | ReLU | LeakyReLU | ELU | SiLU | GELU
