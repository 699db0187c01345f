"""What a network is stacked from; the activations have a file of their own."""

from typing import Annotated, Literal, TypeAlias

import numpy as np
from pydantic import Field, PositiveInt

from engine.activations import AnyActivation
from engine.family import Family
from engine.layer import Cache, Layer, Mode, Pass
from engine.parameters import Array, Arrays, Shape

Units: TypeAlias = PositiveInt


class Dense(Layer):
    """Z = A_prev·W + b, with W: n_in × n_out. Follow it by an activation, or it adds nothing to its neighbors."""

    type: Literal["dense"] = "dense"
    units: Units = Field(
        description="units of the layer; more of them fit more (less bias) and overfit sooner (more variance)",
        json_schema_extra={"importance": 2},
    )
    bias: bool = Field(
        True,
        description="learn an offset b; it is dropped where batch_norm follows at once, whose β replaces it",
    )

    def width(self, n_in: int) -> int:
        return self.units

    def parameters(self, n_in: int) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {"W": (n_in, self.units)}
        return shapes | {"b": (self.units,)} if self.bias else shapes

    def buffers(self, m: int, n_in: int) -> dict[str, Shape]:
        return {"Z": (m, self.units), "dA_prev": (m, n_in)}

    def forward(self, A_prev: Array, p: Arrays, c: Cache, run: Pass) -> Array:
        c.A_prev = A_prev
        np.matmul(A_prev, p.W, out=c.Z)
        if self.bias:
            np.add(c.Z, p.b, out=c.Z)
        return c.Z

    def backward(self, dZ: Array, p: Arrays, g: Arrays, c: Cache) -> Array:
        """dW = A_prevᵀ·dZ, db = Σ dZ, dA_prev = dZ·Wᵀ (dZ carries the 1/m)."""
        c.dZ = dZ  # for whoever measures the signal on its way back
        np.matmul(c.A_prev.T, dZ, out=g.W)
        if self.bias:
            np.sum(dZ, axis=0, out=g.b)
        if c.first:  # nothing below learns: the widest product of the step is saved
            return dZ
        return np.matmul(dZ, p.W.T, out=c.dA_prev)


class BatchNorm(Layer):
    """Z̃ = γ·Ẑ + β with Ẑ = (Z − μ)/√(σ² + ε), over the batch in training, over running averages afterwards.

    σ² is biased (÷ m), in the batch and in its running average. The running averages are exponentially weighted
    with bias correction, V/(1 − momentumᵗ), so they never depend on how they were initialized. A batch of one
    example is refused in training. Use it to train deep networks faster and with larger learning rates.
    """

    type: Literal["batch_norm"] = "batch_norm"
    momentum: float = Field(0.9, ge=0, lt=1, description="weight of the past in the running μ and σ² used to predict")
    epsilon: float = Field(
        1e-5, gt=0, description="added to the variance, so that a constant unit does not divide by 0"
    )

    def parameters(self, n_in: int) -> dict[str, Shape]:
        return {"gamma": (n_in,), "beta": (n_in,)}

    def averages(self, n_in: int) -> dict[str, Shape]:
        return {"mean": (n_in,), "variance": (n_in,), "batches": (1,)}

    def buffers(self, m: int, n_in: int) -> dict[str, Shape]:
        return {
            "Z_hat": (m, n_in),
            "Y": (m, n_in),
            "mu": (n_in,),
            "var": (n_in,),
            "scale": (n_in,),
            "row": (n_in,),
        }

    def forward(self, Z: Array, p: Arrays, c: Cache, run: Pass) -> Array:
        if run.mode is Mode.PREDICT:
            np.copyto(c.mu, p.mean)
            np.copyto(c.var, p.variance)
            np.subtract(Z, c.mu, out=c.Z_hat)
        else:
            np.mean(Z, axis=0, out=c.mu)
            np.subtract(Z, c.mu, out=c.Z_hat)
            np.multiply(c.Z_hat, c.Z_hat, out=c.Y)
            np.mean(c.Y, axis=0, out=c.var)
        np.add(c.var, self.epsilon, out=c.scale)
        np.sqrt(c.scale, out=c.scale)
        np.divide(1, c.scale, out=c.scale)  # 1/√(σ² + ε)
        c.Z_hat *= c.scale
        np.multiply(c.Z_hat, p.gamma, out=c.Y)
        c.Y += p.beta
        if run.mode is Mode.TRAIN:
            self._average(p, c)
        return c.Y

    def _average(self, p: Arrays, c: Cache) -> None:
        """The bias-corrected V_t = βV_{t−1} + (1−β)x_t, kept corrected: V̂ += (x − V̂)·(1−β)/(1−βᵗ)."""
        p.batches += 1
        share = (1 - self.momentum) / (1 - self.momentum ** float(p.batches[0]))
        for average, seen in ((p.mean, c.mu), (p.variance, c.var)):
            np.subtract(seen, average, out=c.row)
            c.row *= share
            average += c.row

    def backward(self, dY: Array, p: Arrays, g: Arrays, c: Cache) -> Array:
        """dZ = γ/√(σ²+ε) · (dY − mean(dY) − Ẑ·mean(dY·Ẑ)); dγ = Σ dY·Ẑ, dβ = Σ dY."""
        m = len(dY)
        np.multiply(dY, c.Z_hat, out=c.Y)  # the output is not needed any more
        np.sum(c.Y, axis=0, out=g.gamma)
        np.sum(dY, axis=0, out=g.beta)
        np.divide(g.beta, m, out=c.row)
        dY -= c.row
        np.divide(g.gamma, m, out=c.row)
        c.Z_hat *= c.row
        dY -= c.Z_hat
        np.multiply(p.gamma, c.scale, out=c.row)
        dY *= c.row
        return dY


class Dropout(Layer):
    """Inverted dropout: A·D/keep_prob with D = (rand < keep_prob) in training, A otherwise.

    Use it against variance, most of it behind the widest layers; the training cost is then noisy.
    """

    type: Literal["dropout"] = "dropout"
    keep_prob: float = Field(
        0.8,
        gt=0,
        le=1,
        description="chance that a unit stays on in a training step; lower it against variance, 1 is no dropout",
        json_schema_extra={"importance": 3, "may_change_while_running": True},
    )

    def buffers(self, m: int, n_in: int) -> dict[str, Shape]:
        return {"A": (m, n_in)}

    def flags(self, m: int, n_in: int) -> dict[str, Shape]:
        return {"D": (m, n_in)}

    def forward(self, A_prev: Array, p: Arrays, c: Cache, run: Pass) -> Array:
        if run.mode is not Mode.TRAIN or run.streams is None:
            c.dropped = False
            return A_prev
        c.dropped = True
        run.streams.uniform(c.index, run.step, c.A)
        np.less(c.A, self.keep_prob, out=c.D)
        np.multiply(A_prev, c.D, out=c.A)
        c.A /= self.keep_prob
        return c.A

    def backward(self, dA: Array, p: Arrays, g: Arrays, c: Cache) -> Array:
        if c.dropped:
            dA *= c.D
            dA /= self.keep_prob
        return dA


AnyLayer = Annotated[Dense | BatchNorm | Dropout | AnyActivation, Family()]
