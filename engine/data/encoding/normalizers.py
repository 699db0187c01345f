"""How inputs are brought to one scale.

A normalizer learns its statistics from the training rows only, in one pass over blocks of rows; dev, test and
every row to predict are then treated alike.
"""

from collections.abc import Iterable
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine.component import Component
from engine.family import Family

Array = NDArray[np.float64]
Statistics = dict[str, Array]


class NoNormalizer(Component):
    """Leave the inputs as they are."""

    type: Literal["none"] = Field(
        "none", description="Leave the inputs as they are: when they are already on one scale."
    )

    def fit(self, blocks: Iterable[Array]) -> Statistics:
        return {}

    def apply(self, x: Array, statistics: Statistics) -> Array:
        return x

    def affine(self, statistics: Statistics) -> tuple[Array | float, Array | float]:
        """What is subtracted from the inputs, and what the difference is divided by."""
        return 0.0, 1.0


class ScaleNormalizer(Component):
    """x / divide_by."""

    type: Literal["scale"] = Field(
        "scale", description="Divide every input by one number: pixels by 255, so that all lie in 0 to 1."
    )
    divide_by: float = Field(255.0, gt=0, description="What every input is divided by: 255 for 8-bit images.")

    def fit(self, blocks: Iterable[Array]) -> Statistics:
        return {}

    def apply(self, x: Array, statistics: Statistics) -> Array:
        x /= self.divide_by
        return x

    def affine(self, statistics: Statistics) -> tuple[Array | float, Array | float]:
        return 0.0, self.divide_by


class MinMaxNormalizer(Component):
    """(x − min) / (max − min), per column."""

    type: Literal["minmax"] = Field(
        "minmax",
        description="Bring every column to 0 to 1 by its least and greatest training value: for bounded "
        "inputs without outliers. A column that is constant in training becomes 0.",
    )

    def fit(self, blocks: Iterable[Array]) -> Statistics:
        low, high = np.array(np.inf), np.array(-np.inf)
        for x in blocks:
            low, high = np.minimum(low, x.min(axis=0)), np.maximum(high, x.max(axis=0))
        return {"minimum": low, "range": high - low}

    def apply(self, x: Array, statistics: Statistics) -> Array:
        x -= statistics["minimum"]
        x /= divisor(statistics["range"])
        return x

    def affine(self, statistics: Statistics) -> tuple[Array | float, Array | float]:
        return statistics["minimum"], divisor(statistics["range"])


class StandardNormalizer(Component):
    """(x − μ) / σ, per column; σ is the biased one (÷ m)."""

    type: Literal["standard"] = Field(
        "standard",
        description="Subtract the training mean of every column and divide by its standard deviation: the "
        "usual choice for measurements of different units. A column that is constant in training becomes 0.",
    )

    def fit(self, blocks: Iterable[Array]) -> Statistics:
        """Means and squared deviations of the blocks, merged as in Chan, Golub and LeVeque (1979)."""
        m, mean, squares = 0, np.array(0.0), np.array(0.0)
        first, constant = np.array(0.0), np.array(True)
        for x in blocks:
            first = first if m else x[0].copy()
            constant = constant & (x == first).all(axis=0)
            n, block_mean = len(x), x.mean(axis=0)
            shift = block_mean - mean
            squares = squares + ((x - block_mean) ** 2).sum(axis=0) + shift**2 * (m * n / (m + n))
            mean = mean + shift * (n / (m + n))
            m += n
        # The rounded mean of a constant differs from it by an ulp, and its σ would be that ulp instead of 0.
        return {"mean": np.where(constant, first, mean), "std": np.where(constant, 0.0, np.sqrt(squares / m))}

    def apply(self, x: Array, statistics: Statistics) -> Array:
        x -= statistics["mean"]
        x /= divisor(statistics["std"])
        return x

    def affine(self, statistics: Statistics) -> tuple[Array | float, Array | float]:
        return statistics["mean"], divisor(statistics["std"])


def divisor(spread: Array) -> Array:
    """The spread, or ∞ where it is 0: a column that was constant in training is 0 for every row."""
    return np.where(spread > 0, spread, np.inf)


AnyNormalizer = NoNormalizer | StandardNormalizer | MinMaxNormalizer | ScaleNormalizer
Normalizer = Annotated[AnyNormalizer, Family()]
