"""What training makes small, computed from the logits Z of the output layer, so that ±10⁴ is no problem.

Every loss is a mean over the m examples of the batch at hand; its gradient dZ carries the 1/m.
"""

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat

from engine.activations import sigmoid
from engine.component import Component
from engine.family import Family
from engine.parameters import Array, Arrays, Shape

ClassWeights = Annotated[
    Literal["balanced"] | dict[str, Annotated[FiniteFloat, Field(ge=0)]] | None,
    Field(
        None,
        description="weight of each class in the loss, by label; balanced: m/(C·m_c), so that rare classes count as "
        "much as frequent ones",
    ),
]
Smoothing = Annotated[
    float,
    Field(
        0.0,
        ge=0,
        lt=1,
        description="share ε of the target spread evenly over the classes, y(1 − ε) + ε/C: against overconfidence",
    ),
]


class Loss(Component):
    """J = (1/m) Σ wᵢ·lossᵢ from logits Z (m × k) and targets Y (m × k); w = 1 without class weights."""

    task: ClassVar[Literal["classes", "values"]]

    def buffers(self, m: int, k: int) -> dict[str, Shape]:
        return {"dZ": (m, k), "work": (m, k), "row": (m, 1)}

    def targets(self, classes: int) -> NDArray[np.float64] | None:
        """The table that turns a class index into a row of Y; None where the targets are values already."""
        return None

    def soften(self, Y: Array) -> Array:
        """Targets that are values already, as the loss wants them; most want them as they are."""
        return Y

    @abstractmethod
    def forward(self, Z: Array, Y: Array, w: Array | None, c: Arrays) -> float:
        """The mean loss; what backward needs stays in c."""

    @abstractmethod
    def backward(self, Z: Array, Y: Array, w: Array | None, c: Arrays) -> Array:
        """dZ = ∂J/∂Z, in c.dZ; called after forward."""

    @abstractmethod
    def output(self, Z: Array) -> Array:
        """What the network answers: probabilities, or values. Overwrites Z."""


class SigmoidCrossEntropy(Loss):
    """−(y log ŷ + (1 − y) log(1 − ŷ)) with ŷ = σ(z) = max(z, 0) − zy + log(1 + e^−|z|).

    One output for two classes; one for each label where an example may have several (their losses add up). Use it
    for yes or no, and for labels that do not exclude each other.
    """

    type: Literal["sigmoid_cross_entropy"] = "sigmoid_cross_entropy"
    class_weights: ClassWeights = None
    label_smoothing: Smoothing = 0.0
    task: ClassVar[Literal["classes", "values"]] = "classes"

    def targets(self, classes: int) -> NDArray[np.float64]:
        e = self.label_smoothing
        return np.array([[e / 2], [1 - e / 2]])

    def soften(self, Y: Array) -> Array:
        e = self.label_smoothing
        return Y * (1 - e) + e / 2

    def forward(self, Z: Array, Y: Array, w: Array | None, c: Arrays) -> float:
        np.abs(Z, out=c.work)
        np.negative(c.work, out=c.work)
        np.exp(c.work, out=c.work)
        np.log1p(c.work, out=c.work)
        np.maximum(Z, 0, out=c.dZ)
        c.work += c.dZ
        np.multiply(Z, Y, out=c.dZ)
        c.work -= c.dZ
        if w is not None:
            c.work *= w
        return float(c.work.sum(dtype=np.float64)) / len(Z)

    def backward(self, Z: Array, Y: Array, w: Array | None, c: Arrays) -> Array:
        """dZ = (ŷ − y)/m."""
        sigmoid(Z, out=c.dZ)
        return scaled(c.dZ, Y, w)

    def output(self, Z: Array) -> Array:
        return sigmoid(Z, out=Z)


class SoftmaxCrossEntropy(Loss):
    """−Σ_c y_c log ŷ_c with ŷ = e^z/Σe^z: log Σ e^(z − max z) − Σ y(z − max z).

    Use it for classes of which an example has exactly one.
    """

    type: Literal["softmax_cross_entropy"] = "softmax_cross_entropy"
    class_weights: ClassWeights = None
    label_smoothing: Smoothing = 0.0
    task: ClassVar[Literal["classes", "values"]] = "classes"

    def targets(self, classes: int) -> NDArray[np.float64]:
        e = self.label_smoothing
        return np.eye(classes) * (1 - e) + e / classes

    def forward(self, Z: Array, Y: Array, w: Array | None, c: Arrays) -> float:
        np.max(Z, axis=1, keepdims=True, out=c.row)
        np.subtract(Z, c.row, out=c.work)
        np.exp(c.work, out=c.dZ)
        c.work *= Y
        np.sum(c.work, axis=1, keepdims=True, out=c.row)  # Σ y(z − max z), given Σ y = 1
        c.work[:, :1] = c.row
        np.sum(c.dZ, axis=1, keepdims=True, out=c.row)
        c.dZ /= c.row  # ŷ, kept for backward
        np.log(c.row, out=c.row)
        c.row -= c.work[:, :1]
        if w is not None:
            c.row *= w
        return float(c.row.sum(dtype=np.float64)) / len(Z)

    def backward(self, Z: Array, Y: Array, w: Array | None, c: Arrays) -> Array:
        """dZ = (ŷ − y)/m."""
        return scaled(c.dZ, Y, w)

    def output(self, Z: Array) -> Array:
        # np.max and np.sum are these with layers of Python around, which a prediction of a row feels
        Z -= np.maximum.reduce(Z, axis=1, keepdims=True)
        np.exp(Z, out=Z)
        Z /= np.add.reduce(Z, axis=1, keepdims=True)
        return Z


class MeanSquaredError(Loss):
    """The mean of (ŷ − y)² over the examples and, where there are several, the outputs; ŷ = z, for numbers."""

    type: Literal["mean_squared_error"] = "mean_squared_error"
    task: ClassVar[Literal["classes", "values"]] = "values"

    def forward(self, Z: Array, Y: Array, w: Array | None, c: Arrays) -> float:
        np.subtract(Z, Y, out=c.dZ)
        np.multiply(c.dZ, c.dZ, out=c.work)
        return float(c.work.sum(dtype=np.float64)) / Z.size

    def backward(self, Z: Array, Y: Array, w: Array | None, c: Arrays) -> Array:
        """dZ = 2(ŷ − y)/(m·k)."""
        c.dZ *= 2 / Z.size
        return c.dZ

    def output(self, Z: Array) -> Array:
        return Z


def scaled(Y_hat: Array, Y: Array, w: Array | None) -> Array:
    """(Ŷ − Y)·w/m, in place of Ŷ."""
    Y_hat -= Y
    if w is not None:
        Y_hat *= w
    Y_hat /= len(Y_hat)
    return Y_hat


class AutoLoss(Component):
    """The loss that follows from the target: sigmoid for two classes, softmax for more, squared error for values."""

    type: Literal["auto"] = "auto"


AnyLoss = Annotated[AutoLoss | SigmoidCrossEntropy | SoftmaxCrossEntropy | MeanSquaredError, Family()]
