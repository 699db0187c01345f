"""Images read at other places than their own, bilinear: compiled, or by one gather of four neighbors a pixel.

The latter is the formula in plain arrays, for the GPU and for tests. One chunk of images at a time goes through buffers
that stay in the cache, so memory does not grow with the batch.
"""

from functools import partial
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]


class FusedWarp:
    """The warp of images of (h, w, c) on the CPU; what lies outside is 0, or the nearest edge."""

    def __init__(self, shape: tuple[int, int, int], dtype: DTypeLike, fill: Literal["zero", "edge"]) -> None:
        # Waited for, not replaced until it is there: a job that goes on elsewhere has to see the same images.
        from engine.data.augmentation.fused_warp import fused_warp

        self._warp, self._shape, self._edge = fused_warp, shape, fill == "edge"
        self.dtype: np.dtype[Any] = np.dtype(dtype)

    def apply(self, images: Array, maps: Array, displacement: Array | None, out: Array) -> None:
        """As that of `ImageWarp`."""
        h, w, _ = self._shape
        images = np.ascontiguousarray(images, images.dtype if images.dtype == np.uint8 else self.dtype)
        from_corner = maps[:, :2] + [[0, 0, (w - 1) / 2], [0, 0, (h - 1) / 2]]
        moved = np.empty((0, 2, h, w), self.dtype) if displacement is None else np.ascontiguousarray(displacement)
        self._warp(images, from_corner.astype(self.dtype), moved, self._edge, out)


class ImageWarp:
    """Buffers for up to `rows` images of (h, w, c); what lies outside is 0, or the nearest edge."""

    def __init__(
        self,
        rows: int,
        shape: tuple[int, int, int],
        dtype: DTypeLike,
        fill: Literal["zero", "edge"],
        xp: ModuleType = np,
    ) -> None:
        h, w, c = self.shape = shape
        self.rows = rows
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._xp, self._fill = xp, fill
        # Other modes than "wrap" copy the output once more, or take longer; no index is ever out of range.
        self._take = partial(xp.take, mode="wrap") if xp is np else xp.take
        self._line, self._image = (w + 2) * c, (h + 2) * (w + 2) * c
        # A frame of zeros around every image; the slack is read past the last one, with weight 0.
        self._framed: Array = xp.zeros(rows * self._image + self._line + c, self.dtype)
        self._x, self._y, self._place, self._work, *self._corners = (
            xp.empty((rows, h * w), self.dtype) for _ in range(8)
        )
        self._index: Array = xp.empty((rows, h * w), np.intp)
        self._starts: Array = (xp.arange(rows) * self._image).reshape(rows, 1)
        down, across = xp.meshgrid(xp.arange(h) - (h - 1) / 2, xp.arange(w) - (w - 1) / 2, indexing="ij")
        self._grid: Array = xp.stack([across.ravel(), down.ravel(), xp.ones(h * w)]).astype(self.dtype)

    def apply(self, images: Array, maps: Array, displacement: Array | None, out: Array) -> None:
        """Fill out (b, h, w, c) with the images (b, h, w, c) read at A·(x, y, 1) plus the displacement.

        maps (b, 3, 3) and displacement (b, 2, h, w) count pixels, from the center.
        """
        b, (h, w, c) = len(images), self.shape
        framed = self._framed[: b * self._image].reshape(b, h + 2, self._line)
        framed[:, 1:-1, c:-c] = images.reshape(b, h, w * c)
        x, y, place, work, index = (a[:b] for a in (self._x, self._y, self._place, self._work, self._index))
        for axis, (coordinate, extent) in enumerate(((x, w), (y, h))):
            # The 1 for the frame. Halves are exact, so the identity hits the pixels' centers exactly.
            of_axis = maps[:, axis : axis + 1] + self._xp.asarray([0, 0, (extent - 1) / 2 + 1])
            # An image at a time, not one product for all: so the numbers do not depend on how many there are.
            self._xp.matmul(of_axis.astype(self.dtype), self._grid, out=coordinate[:, None])
            if displacement is not None:
                coordinate += displacement[:, axis].reshape(b, h * w)
            low, high = (0, extent + 1) if self._fill == "zero" else (1, extent)
            self._xp.clip(coordinate, low, high, out=coordinate)
            floor = place if axis else work
            np.floor(coordinate, out=floor)
            coordinate -= floor
        work *= c
        place *= self._line
        place += work  # a whole number: exact within an image
        self._xp.copyto(index, place, casting="unsafe")
        index += self._starts[:b]
        out = out.reshape(b, h * w, c)
        for channel in range(c):
            p, right, below, both = (a[:b] for a in self._corners)
            for corner, step in ((p, 0), (right, c), (below, self._line), (both, self._line + c)):
                self._take(self._framed[channel + step :], index, out=corner)
            for left, other in ((p, right), (below, both)):
                other -= left
                other *= x
                left += other
            below -= p
            below *= y
            np.add(p, below, out=out[..., channel])
