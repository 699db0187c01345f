"""The warp of `image_warp` in one compiled pass: place, four neighbors and blend, a pixel at a time."""

from typing import Any

import numpy as np
from numba import boolean, float32, float64, types, uint8, void

from engine.compiling import strict


def _signature(image: Any, number: Any) -> Any:
    """Of images, which may be read-only, and what they become."""
    images = types.Array(image, 4, "C", readonly=True)
    return void(images, number[:, :, ::1], number[:, :, :, ::1], boolean, number[:, :, :, ::1])


@strict([_signature(uint8, float32), _signature(float32, float32), _signature(float64, float64)])
def fused_warp(images: Any, maps: Any, displacement: Any, edge: bool, out: Any) -> None:
    """Fill out (b, h, w, c) with images (b, h, w, c) read at A·(x, y, 1) plus the displacement (b or 0, 2, h, w).

    maps (b, 2, 3) are of out's dtype and give pixels from the upper left corner for pixels from the center. Outside
    is the nearest edge, or 0.
    """
    b, h, w, c = out.shape
    line = w * c
    flat, written = images.reshape(b, h * line), out.reshape(b, h * line)
    number = out.dtype.type
    low = number(0) if edge else number(-1)
    right, bottom = number(w - 1 if edge else w), number(h - 1 if edge else h)
    for i in range(b):
        xx, xy, x0 = maps[i, 0, 0], maps[i, 0, 1], maps[i, 0, 2]
        yx, yy, y0 = maps[i, 1, 0], maps[i, 1, 1], maps[i, 1, 2]
        place = np.uint64(0)  # unsigned: no index is looked at for being negative
        for row in range(h):
            down = number(row) - number(h - 1) / number(2)
            for column in range(w):
                across = number(column) - number(w - 1) / number(2)
                u = xx * across + xy * down + x0
                v = yx * across + yy * down + y0
                if len(displacement):
                    u += displacement[i, 0, row, column]
                    v += displacement[i, 1, row, column]
                u, v = min(max(u, low), right), min(max(v, low), bottom)
                left, top = np.floor(u), np.floor(v)
                fx, fy = u - left, v - top
                j, k = int(left), int(top)
                if 0 <= j < w - 1 and 0 <= k < h - 1:
                    near = np.uint64(k * line + j * c)
                    for _ in range(c):
                        p, q = number(flat[i, near]), number(flat[i, near + np.uint64(c)])
                        r, s = number(flat[i, near + np.uint64(line)]), number(flat[i, near + np.uint64(line + c)])
                        p += (q - p) * fx
                        r += (s - r) * fx
                        written[i, place] = p + (r - p) * fy
                        near += np.uint64(1)
                        place += np.uint64(1)
                else:
                    for channel in range(c):
                        p, q, r, s = number(0), number(0), number(0), number(0)
                        if 0 <= k < h:
                            if 0 <= j < w:
                                p = number(images[i, k, j, channel])
                            if -1 <= j < w - 1:
                                q = number(images[i, k, j + 1, channel])
                        if -1 <= k < h - 1:
                            if 0 <= j < w:
                                r = number(images[i, k + 1, j, channel])
                            if -1 <= j < w - 1:
                                s = number(images[i, k + 1, j + 1, channel])
                        p += (q - p) * fx
                        r += (s - r) * fx
                        written[i, place] = p + (r - p) * fy
                        place += np.uint64(1)
