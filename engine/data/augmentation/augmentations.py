"""Random variations of the training rows: what each draws for a row, and what it does with it.

Geometry comes first: all of it is composed into one map from the places of the new image to those of the old one.
Then come light, colors and noise, in the order of the list, and at last what mixes whole rows. Shapes: b images,
h high, w wide, of c channels. Every strength of 0 leaves images as they are, exactly.
"""

from abc import ABC, abstractmethod
from math import ceil, prod
from types import ModuleType
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine.component import Component
from engine.data.augmentation.row_draws import RowDraws
from engine.family import Family

Array = NDArray[Any]
Share = Annotated[float, Field(ge=0, le=1)]
Fill = Annotated[
    Literal["zero", "edge"],
    Field(
        description="what comes in from outside: `zero` for writing on black, `edge` (the nearest pixel) for "
        "photographs; the same in all of the list"
    ),
]


class Augmentation(Component):
    """Something that is drawn anew for every training row in every epoch."""

    works_on: ClassVar[Literal["images", "colors", "rows"]] = "images"


class Geometry(Augmentation, ABC):
    """Moves pixels: an affine map about the image's center."""

    draws: ClassVar[int] = 1

    @abstractmethod
    def inverse(self, drawn: Array, size: tuple[int, int]) -> Array:
        """(b, 3, 3): from the places (x, y, 1) of the new image to the old one's, in pixels from the center.

        `drawn` holds `draws` numbers in [−1, 1) a row; size is (h, w).
        """


class Flip(Geometry):
    """Mirror images."""

    type: Literal["flip"] = Field(
        "flip",
        description="Mirror images: where left and right do not matter, as in photographs of things; not for writing.",
    )
    horizontal: Share = Field(0.5, description="probability that left and right change places")
    vertical: Share = Field(0.0, description="probability that top and bottom change places: aerial or cell images")
    draws: ClassVar[int] = 2

    def inverse(self, drawn: Array, size: tuple[int, int]) -> Array:
        maps = _identities(drawn)
        maps[:, 0, 0] -= 2 * (drawn[:, 0] < 2 * self.horizontal - 1)
        maps[:, 1, 1] -= 2 * (drawn[:, 1] < 2 * self.vertical - 1)
        return maps


class Rotate(Geometry):
    """Turn images about their center."""

    type: Literal["rotate"] = Field(
        "rotate",
        description="Turn images about their center: for what people hold or photograph at a slant. 10 to 15 degrees "
        "suit digits (a 6 must not become a 9), 180 suits images without an upright.",
    )
    degrees: float = Field(10.0, ge=0, le=180, description="the most that an image is turned, either way")
    fill: Fill = "zero"

    def inverse(self, drawn: Array, size: tuple[int, int]) -> Array:
        angle = drawn[:, 0] * np.deg2rad(self.degrees)
        maps = _identities(drawn)
        maps[:, 0, 0] = maps[:, 1, 1] = np.cos(angle)
        maps[:, 0, 1] = np.sin(angle)
        maps[:, 1, 0] = -maps[:, 0, 1]
        return maps


class Zoom(Geometry):
    """Enlarge or shrink images."""

    type: Literal["zoom"] = Field(
        "zoom", description="Enlarge or shrink images about their center: where things are nearer or farther."
    )
    by: float = Field(0.1, ge=0, le=0.9, description="0.1: to between 90 and 110 % of the size")
    fill: Fill = "zero"

    def inverse(self, drawn: Array, size: tuple[int, int]) -> Array:
        maps = _identities(drawn)
        maps[:, 0, 0] = maps[:, 1, 1] = 1 / (1 + drawn[:, 0] * self.by)
        return maps


class Shift(Geometry):
    """Move images aside."""

    type: Literal["shift"] = Field(
        "shift",
        description="Move images aside: what a dense network, which knows every pixel by its place, needs most.",
    )
    horizontal: Share = Field(0.1, description="the most to the left or right, as a share of the width")
    vertical: Share = Field(0.1, description="the most up or down, as a share of the height")
    fill: Fill = "zero"
    draws: ClassVar[int] = 2

    def inverse(self, drawn: Array, size: tuple[int, int]) -> Array:
        maps = _identities(drawn)
        maps[:, 0, 2] = drawn[:, 0] * self.horizontal * size[1]
        maps[:, 1, 2] = drawn[:, 1] * self.vertical * size[0]
        return maps


class Crop(Geometry):
    """Cut out a window and enlarge it to the whole."""

    type: Literal["crop"] = Field(
        "crop",
        description="Cut out a window anywhere in the image and enlarge it to the whole: zoom and shift in one that "
        "brings in nothing from outside; for photographs in which the thing fills the middle.",
    )
    smallest: float = Field(0.8, gt=0, le=1, description="the least share of either side that the window keeps")
    draws: ClassVar[int] = 3

    def inverse(self, drawn: Array, size: tuple[int, int]) -> Array:
        kept = 1 - (drawn[:, 0] + 1) / 2 * (1 - self.smallest)
        maps = _identities(drawn)
        maps[:, 0, 0] = maps[:, 1, 1] = kept
        maps[:, 0, 2] = drawn[:, 1] * (1 - kept) * (size[1] - 1) / 2
        maps[:, 1, 2] = drawn[:, 2] * (1 - kept) * (size[0] - 1) / 2
        return maps


class Elastic(Augmentation):
    """Pull images about as if they were rubber."""

    type: Literal["elastic"] = Field(
        "elastic",
        description="Pull images about as if they were printed on rubber: the variations of handwriting (Simard, "
        "Steinkraus and Platt, 2003); for rigid things keep it small.",
    )
    strength: Share = Field(0.04, description="how far pixels go (standard deviation), as a share of the shorter side")
    smoothness: float = Field(
        0.15, gt=0, le=1, description="how far apart pixels move alike, as a share of the shorter side; small: ripples"
    )
    fill: Fill = "zero"

    def displacement(self, draws: RowDraws, size: tuple[int, int], dtype: np.dtype[Any], xp: ModuleType = np) -> Array:
        """(b, 2, h, w): pixels to add to the x and y at which the old image is read.

        A cubic B-spline through random values, uniform, at knots `smoothness` apart: as smooth as white noise under
        a Gaussian filter, from a hundredth of the random numbers. Drawn in the new image's places, whatever else
        turns or enlarges it: the field looks alike from everywhere.
        """
        spacing = max(2.0, self.smoothness * min(size))
        down, across = (xp.asarray(_spline(extent, spacing), dtype) for extent in size)
        knots = (2, down.shape[1], across.shape[1])
        values = draws.uniform(prod(knots)).astype(dtype, copy=False).reshape(-1, *knots)
        values -= 0.5
        values *= self.strength * min(size) * SPREAD
        moved: Array = xp.matmul(down, xp.matmul(values, across.T))
        return moved


SPREAD = 12**0.5 * 315 / 151  # 1/σ of numbers uniform on ±½, times 1/∫β² of the spline: √ of it for either axis


class Brightness(Augmentation):
    """Multiply all values by a number."""

    type: Literal["brightness"] = Field(
        "brightness", description="Lighten or darken whole images: where the light of the photographs differs."
    )
    by: Share = Field(0.2, description="0.2: to between 80 and 120 %")

    def apply(self, x: Array, draws: RowDraws, full: float) -> None:
        """Change x (b, h, w, c) in place; `full` is the greatest value of a pixel."""
        x *= _factors(draws, 1, self.by, x.dtype)


class Contrast(Augmentation):
    """Multiply the distances from the image's mean by a number."""

    type: Literal["contrast"] = Field(
        "contrast", description="Draw light and dark apart or together: for haze, flat light and different cameras."
    )
    by: Share = Field(0.2, description="0.2: distances from the image's mean become 80 to 120 %")

    def apply(self, x: Array, draws: RowDraws, full: float) -> None:
        mean = x.reshape(len(x), -1).mean(axis=1).reshape(-1, 1, 1, 1)
        # x + (f − 1)(x − mean), so that f = 1 changes nothing.
        x += (x - mean) * (_factors(draws, 1, self.by, x.dtype) - 1)


class Color(Augmentation):
    """Multiply each color by a number of its own."""

    type: Literal["color"] = Field(
        "color",
        description="Tint images: each of red, green and blue times a number of its own; for color images only.",
    )
    by: Share = Field(0.1, description="0.1: each color to between 90 and 110 %")
    works_on: ClassVar[Literal["images", "colors", "rows"]] = "colors"

    def apply(self, x: Array, draws: RowDraws, full: float) -> None:
        factors = _factors(draws, 3, self.by, x.dtype)
        for channel in range(3):  # an inner loop over three values would be slow
            x[..., channel] *= factors[..., channel]


class Noise(Augmentation):
    """Add Gaussian noise."""

    type: Literal["noise"] = Field(
        "noise",
        description="Add Gaussian noise: to pixels, or, in a table, to the scaled inputs; a penalty on large weights "
        "by other means (Bishop, 1995), for few rows of measurements.",
    )
    std: float = Field(
        0.05,
        ge=0,
        le=10,
        description="standard deviation: of 8-bit pixels as a share of 255; else in the unit of the values, and in a "
        "table of the scaled inputs",
    )
    works_on: ClassVar[Literal["images", "colors", "rows"]] = "rows"

    def apply(self, x: Array, draws: RowDraws, full: float) -> None:
        noise = draws.normal(prod(x.shape[1:]))
        noise *= noise.dtype.type(self.std * full)
        x += noise.reshape(x.shape)


class Mixup(Augmentation):
    """Blend two rows and their answers."""

    type: Literal["mixup"] = Field(
        "mixup",
        description="Blend each row with another of its batch, and their answers alike (Zhang et al., 2018): against "
        "memorizing and overconfidence. Training accuracy then counts the row's own label.",
    )
    alpha: float = Field(
        0.2, ge=0, le=16, description="λ ~ Beta(α, α): 0 blends nothing, 0.2 mostly a little, 1 in any proportion"
    )
    works_on: ClassVar[Literal["images", "colors", "rows"]] = "rows"

    def shares(self, draws: RowDraws, xp: ModuleType = np) -> Array:
        """(b,) of λ, the row's own share."""
        drawn: Array = draws.uniform(1)[:, 0].astype(np.float64)
        if self.alpha == 0:
            drawn[:] = 1
            return drawn
        # The left half of the distribution by its quantiles. In s, with λ = s^(1/α)/2, its density is (1 − λ)^(α−1)
        # but for a constant: no pole at 0, so a plain sum will do.
        quantiles = (np.linspace(0, 1, 1025) ** (1 / self.alpha)) / 2
        density = (1 - quantiles) ** (self.alpha - 1)
        below = np.concatenate([[0], np.cumsum(density[1:] + density[:-1])])
        place = (1 - xp.abs(2 * drawn - 1)) * below[-1]
        share = xp.interp(place, xp.asarray(below), xp.asarray(quantiles))
        shares: Array = xp.where(drawn < 0.5, share, 1 - share)
        return shares


AnyAugmentation = Annotated[
    Flip | Rotate | Zoom | Shift | Crop | Elastic | Brightness | Contrast | Color | Noise | Mixup,
    Family(),
]


def _identities(drawn: Array) -> Array:
    maps: Array = np.zeros_like(drawn, shape=(len(drawn), 3, 3))  # like: on the device that drawn is on
    maps[:, (0, 1, 2), (0, 1, 2)] = 1
    return maps


def _factors(draws: RowDraws, count: int, by: float, dtype: np.dtype[Any]) -> Array:
    """(b, 1, 1, count) numbers in 1 ± by."""
    factors: Array = (1 + by * draws.symmetric(count)).astype(dtype)
    return factors[:, None, None, :]


def _spline(extent: int, spacing: float) -> Array:
    """(extent, knots): the weights of a cubic B-spline at every pixel."""
    places = np.arange(extent) / spacing
    knots = np.arange(-1, ceil((extent - 1) / spacing) + 2)
    distance = np.abs(places[:, None] - knots)
    near = 2 / 3 - distance**2 * (1 - distance / 2)
    far = np.maximum(2 - distance, 0) ** 3 / 6
    return np.where(distance < 1, near, far)
