"""The augmentations of a spec at work on training batches, a chunk of rows at a time."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.data.augmentation.augmentations import (
    AnyAugmentation,
    Brightness,
    Color,
    Contrast,
    Elastic,
    Geometry,
    Mixup,
    Noise,
)
from engine.data.augmentation.image_warp import FusedWarp, ImageWarp
from engine.data.augmentation.row_draws import RowDraws
from engine.errors import SpecError

Array = NDArray[Any]
Rows = NDArray[np.intp]

CHUNK = 1 << 15  # pixels, or values of a table, at a time: a dozen buffers of them fit into a core's cache
CHANNELS = (1, 3, 4)


class Augmenter:
    """Random variations of rows whose images have the shape (h, w) or (h, w, c); of a table's rows where it is ().

    Every number drawn is a function of the seed, the epoch, the row and the place of the augmentation in the list.
    One augmenter serves one thread at a time: what it returns lies in a buffer of its own.
    """

    def __init__(
        self, augment: Sequence[AnyAugmentation], shape: tuple[int, ...], seed: int, xp: ModuleType = np
    ) -> None:
        self.shape, self.seed, self._xp = shape, seed, xp
        self._image = (shape[0], shape[1], (*shape, 1)[2]) if is_image(shape) else None
        listed = list(enumerate(augment))
        self._moving = [(place, item) for place, item in listed if isinstance(item, Geometry | Elastic)]
        self._coloring = [(p, item) for p, item in listed if isinstance(item, Brightness | Contrast | Color | Noise)]
        self._mixing = [(place, item) for place, item in listed if isinstance(item, Mixup)]
        self._buffer: Array = xp.empty(0)
        self._warp: FusedWarp | ImageWarp | None = None

    @property
    def varies_images(self) -> bool:
        """Whether `apply` has anything to do."""
        return self._image is not None and bool(self._moving or self._coloring)

    @property
    def varies_inputs(self) -> bool:
        """Whether `mix` has anything to do."""
        return bool(self._mixing or (self._coloring and self._image is None))

    def apply(self, batch: Array, rows: Rows, epoch: int) -> Array:
        """The varied images of a batch (b, *shape), as floats that overwrite those of the last call.

        rows says which training row each is, epoch counts from 1. Values are those that the images have; integers
        stay within their dtype's range.
        """
        if self._image is None or not self.varies_images:
            return batch
        b, (h, w, c) = len(batch), self._image
        dtype = np.result_type(batch.dtype, np.float32)
        if self._buffer.dtype != dtype or self._buffer.size < batch.size:
            self._buffer = self._xp.empty(batch.size, dtype)
        out = self._buffer[: batch.size].reshape(b, h, w, c)
        images = batch.reshape(b, h, w, c)
        integers = batch.dtype.kind in "iu"
        full = float(np.iinfo(batch.dtype).max) if integers else 1.0
        # What is drawn for a whole image is little, and drawn for all at once.
        maps = self._maps(rows, epoch)
        coloring = [(item, self._draws(place, rows, epoch)) for place, item in self._coloring]
        pulling = [(item, self._draws(p, rows, epoch)) for p, item in self._moving if isinstance(item, Elastic)]
        for chunk in _chunks(b, h * w):
            if self._moving:
                fields = [item.displacement(draws[chunk], (h, w), out.dtype, self._xp) for item, draws in pulling]
                warp = self._warping(len(out[chunk]), out.dtype)
                warp.apply(images[chunk], maps[chunk], sum(fields[1:], fields[0]) if fields else None, out[chunk])
            else:
                self._xp.copyto(out[chunk], images[chunk])
            for item, draws in coloring:
                item.apply(out[chunk], draws[chunk], full)
            if coloring and integers:
                self._xp.clip(out[chunk], float(np.iinfo(batch.dtype).min), full, out=out[chunk])
        return out.reshape(b, *self.shape)

    def mix(self, X: Array, Y: Array, rows: Rows, epoch: int, w: Array | None = None) -> None:
        """Vary scaled inputs X (b × n) and targets Y (b × k) in place, after `apply` and the scaling.

        The partner of a row is the next one in an order drawn for the rows of the batch. With weights w (b × 1) both
        are set such that the loss, linear in w·y, is λ·w₁·loss(y₁) + (1 − λ)·w₂·loss(y₂).
        """
        if self._image is None:
            for chunk in _chunks(len(X), X.shape[1]):
                for place, item in self._coloring:
                    item.apply(X[chunk], self._draws(place, rows[chunk], epoch), 1.0)
        for place, mixup in self._mixing:
            draws = self._draws(place, rows, epoch)
            order = draws.order()
            partner = self._xp.empty_like(order)
            partner[order] = self._xp.roll(order, -1)
            others = 1 - mixup.shares(draws, self._xp)[:, None]
            if w is not None:
                Y *= w
                _blend(w, partner, others)
            _blend(X, partner, others)
            _blend(Y, partner, others)
            if w is not None:
                Y /= self._xp.where(w > 0, w, 1)

    def _draws(self, place: int, rows: Rows, epoch: int) -> RowDraws:
        return RowDraws(self.seed, epoch, place, rows, self._xp)

    def _maps(self, rows: Rows, epoch: int) -> Array:
        """(b, 3, 3): all affine augmentations in one, from the new image's places to the old one's."""
        xp = self._xp
        maps: Array = xp.zeros((len(rows), 3, 3))
        maps[:, (0, 1, 2), (0, 1, 2)] = 1
        for place, item in self._moving:
            if isinstance(item, Geometry) and self._image is not None:
                drawn = self._draws(place, rows, epoch).symmetric(item.draws)
                maps = xp.matmul(maps, item.inverse(drawn, self._image[:2]))
        return maps

    def _warping(self, rows: int, dtype: np.dtype[Any]) -> FusedWarp | ImageWarp:
        """What warps so many images; buffers are made anew only for a larger chunk or another precision."""
        if self._image is None:
            raise AssertionError("only images are warped")
        too_small = isinstance(self._warp, ImageWarp) and self._warp.rows < rows
        if self._warp is None or too_small or self._warp.dtype != dtype:
            fills = [fill for _, item in self._moving if (fill := getattr(item, "fill", None)) is not None]
            chosen: Literal["zero", "edge"] = fills[0] if fills else "zero"
            if self._xp is np and dtype in (np.float32, np.float64):
                self._warp = FusedWarp(self._image, dtype, chosen)
            else:
                self._warp = ImageWarp(rows, self._image, dtype, chosen, self._xp)
        return self._warp


def is_image(shape: tuple[int, ...]) -> bool:
    """Whether a value of this shape is an image: (h, w), or (h, w, c) with one, three or four channels."""
    return len(shape) in (2, 3) and min(shape[:2]) > 1 and (*shape, 1)[2] in CHANNELS


def augmented_column(
    augment: Sequence[AnyAugmentation], shapes: Mapping[str, tuple[int, ...]], pointer: str = "/data/augment"
) -> str | None:
    """The feature whose images are varied; None in a table, whose scaled inputs are.

    Shapes are those of the features. SpecError points to what does not fit them.
    """
    images = [name for name, shape in shapes.items() if is_image(shape)]
    column = images[0] if len(images) == 1 == len(shapes) else None
    for place, item in enumerate(augment):
        if item.works_on != "rows" and column is None:
            has = ", ".join(f"{name!r} of shape {shape}" for name, shape in list(shapes.items())[:3])
            raise SpecError(
                f"{pointer}/{place}",
                f"{item.type!r} varies images, and the features are {has}{', …' if len(shapes) > 3 else ''}; it needs "
                "one column of (height, width) or (height, width, 3). A table takes noise and mixup",
            )
        if item.works_on == "colors" and column is not None and (*shapes[column], 1)[2] != 3:
            raise SpecError(
                f"{pointer}/{place}",
                f"{item.type!r} varies red, green and blue, and the images of {column!r} are of shape "
                f"{shapes[column]}; brightness and contrast suit gray ones",
            )
    _refuse_two_fills(augment, pointer)
    return column


def _refuse_two_fills(augment: Sequence[AnyAugmentation], pointer: str) -> None:
    fills = [(place, fill) for place, item in enumerate(augment) if (fill := getattr(item, "fill", None)) is not None]
    for (first, one), (place, other) in pairwise(fills):
        if one != other:
            raise SpecError(
                f"{pointer}/{place}/fill",
                f"{other!r} here and {one!r} in {pointer}/{first}: all that moves pixels is one step, with one fill",
            )


def _chunks(rows: int, values: int) -> Iterator[slice]:
    step = max(1, CHUNK // values)
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def _blend(array: Array, partner: Rows, others: Array) -> None:
    """array + others·(array[partner] − array), in place: others = 0 changes nothing."""
    difference = array[partner]
    difference -= array
    difference *= others.astype(array.dtype)
    array += difference
