"""Augmented images a second on one thread, ours against the usual loop of OpenCV over the images of a batch.

    env -u OPENBLAS_CORETYPE OPENBLAS_NUM_THREADS=1 python -m benchmarks.data.augmentation

Both draw what happens to each image, compose what is affine into one map, and leave float32 images. OpenCV gets uint8
images, which it warps fastest. Both are measured in turn, by the processor time of the thread, and the best of the
rounds is taken, as other programs disturb both.
"""

from collections.abc import Callable
from functools import partial
from time import thread_time
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from engine.data.augmentation.augmentations import AnyAugmentation
from engine.data.augmentation.augmenter import Augmenter

ROUNDS = 9
Listed = list[dict[str, Any]]
DEGREES, ZOOM, SHIFT = 10.0, 0.1, 0.1
STRENGTH, SMOOTHNESS = 0.04, 0.15
AFFINE: Listed = [
    {"type": "flip"},
    {"type": "rotate", "degrees": DEGREES},
    {"type": "zoom", "by": ZOOM},
    {"type": "shift"},
]
ELASTIC: Listed = [{"type": "elastic", "strength": STRENGTH, "smoothness": SMOOTHNESS}]
LIGHT: Listed = [{"type": "brightness"}, {"type": "contrast"}, {"type": "noise"}]
AUGMENT: TypeAdapter[tuple[AnyAugmentation, ...]] = TypeAdapter(tuple[AnyAugmentation, ...])

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


COMPARED: dict[str, tuple[Listed, Loop]] = {
    "flip, rotate, zoom, shift": (AFFINE, affine),
    "elastic": (ELASTIC, elastic),
    "all of these": (AFFINE + ELASTIC, affine_and_elastic),
    "brightness, contrast, noise": (LIGHT, light),
    "(bare warpAffine, nothing drawn)": (AFFINE, warp_only),
}


def seconds(run: Callable[[], object]) -> float:
    start = thread_time()
    run()
    return thread_time() - start


def main() -> None:
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    print(f"{'images':<12}{'augmentations':<36}{'ours/s':>10}{'OpenCV/s':>10}{'ratio':>8}")
    for shape, rows in (((28, 28), 4096), ((64, 64, 3), 512)):
        images, out = rng.integers(0, 256, (rows, *shape), np.uint8), np.empty((rows, *shape), np.float32)
        for name, (augment, loop) in COMPARED.items():
            augmenter = Augmenter(AUGMENT.validate_python(augment), shape, seed=0)
            ours, theirs = [], []
            for epoch in range(ROUNDS):
                ours.append(seconds(partial(augmenter.apply, images, np.arange(rows), epoch)))
                theirs.append(seconds(partial(loop, rng, images, out)))
            rate, reference = rows / min(ours), rows / min(theirs)
            print(f"{'x'.join(map(str, shape)):<12}{name:<36}{rate:>10,.0f}{reference:>10,.0f}{rate / reference:>8.2f}")


if __name__ == "__main__":
    main()
