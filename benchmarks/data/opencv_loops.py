"""What is usually done to the images of a batch with OpenCV: a loop over them. It is a process of its own.

`python -m benchmarks.data.opencv_loops LOOP SIZE ROWS` does its loop once for every line it reads.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.training.contestants import answer_orders

DEGREES, ZOOM, SHIFT = 10.0, 0.1, 0.1
STRENGTH, SMOOTHNESS = 0.04, 0.15
SHAPES = (((28, 28), 4096), ((64, 64, 3), 512))

Images = NDArray[Any]
Loop = Callable[[np.random.Generator, Images, Images], None]


def affine(rng: np.random.Generator, images: Images, out: Images) -> None:
    h, w = images.shape[1:3]
    for image, varied in zip(images, out, strict=True):
        angle, zoom, x, y, chance = rng.uniform(-1, 1, 5)
        matrix = cv2.getRotationMatrix2D(((w - 1) / 2, (h - 1) / 2), angle * DEGREES, 1 + zoom * ZOOM)
        matrix[:, 2] += x * SHIFT * w, y * SHIFT * h
        if chance < 0:
            matrix[0] = -matrix[0]
            matrix[0, 2] += w - 1
        varied[...] = cv2.warpAffine(image, matrix, (w, h), flags=cv2.INTER_LINEAR)


def warp_only(rng: np.random.Generator, images: Images, out: Images) -> None:
    """Nothing but `warpAffine`, uint8 to uint8, by a map that is there already."""
    h, w = images.shape[1:3]
    matrix = cv2.getRotationMatrix2D(((w - 1) / 2, (h - 1) / 2), DEGREES, 1)
    bytes_out = np.empty_like(images)
    for image, varied in zip(images, bytes_out, strict=True):
        cv2.warpAffine(image, matrix, (w, h), dst=varied, flags=cv2.INTER_LINEAR)


def elastic(rng: np.random.Generator, images: Images, out: Images) -> None:
    """After Simard: white noise under a Gaussian filter, scaled to the same displacement."""
    h, w = images.shape[1:3]
    sigma = SMOOTHNESS * min(h, w) * 0.7  # correlated over as many pixels as our splines
    scale = STRENGTH * min(h, w) * 3**0.5 * 2 * np.pi**0.5 * sigma
    x = np.tile(np.arange(w, dtype=np.float32), (h, 1))
    y = np.tile(np.arange(h, dtype=np.float32)[:, None], (1, w))
    for image, varied in zip(images, out, strict=True):
        moved = rng.random((2, h, w), dtype=np.float32) * 2 - 1
        right, down = (cv2.GaussianBlur(field, (0, 0), sigma) * scale for field in moved)
        varied[...] = cv2.remap(image, x + right, y + down, cv2.INTER_LINEAR)


def affine_and_elastic(rng: np.random.Generator, images: Images, out: Images) -> None:
    between = np.empty_like(images)
    affine(rng, images, between)
    elastic(rng, between, out)


def light(rng: np.random.Generator, images: Images, out: Images) -> None:
    for image, varied in zip(images, out, strict=True):
        brightness, contrast = rng.uniform(0.8, 1.2, 2)
        mean = brightness * cv2.mean(image)[0]
        changed = cv2.convertScaleAbs(image, alpha=brightness * contrast, beta=(1 - contrast) * mean)
        varied[...] = changed
        varied += rng.standard_normal(image.shape, np.float32) * np.float32(0.05 * 255)
        np.clip(varied, 0, 255, out=varied)


def images_of(shape: tuple[int, ...], rows: int) -> Images:
    return np.random.default_rng(0).integers(0, 256, (rows, *shape), np.uint8)


LOOPS: dict[str, Loop] = {loop.__name__: loop for loop in (affine, warp_only, elastic, affine_and_elastic, light)}


def main(name: str, size: str, rows: str) -> None:
    cv2.setNumThreads(1)
    shape = tuple(int(side) for side in size.split("x"))
    images = images_of(shape, int(rows))
    rng, out = np.random.default_rng(0), np.empty(images.shape, np.float32)
    answer_orders(lambda: LOOPS[name](rng, images, out), None)


if __name__ == "__main__":
    import cv2  # here only: whoever asks for the images need not have it

    main(*sys.argv[1:])
