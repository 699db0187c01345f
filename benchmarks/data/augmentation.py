"""Augmented images a second on one thread, ours against the usual loop of OpenCV over the images of a batch.

    env -u OPENBLAS_CORETYPE OPENBLAS_NUM_THREADS=1 python -m benchmarks.data.augmentation --peers PYTHON_WITH_OPENCV

Both draw what happens to each image, compose what is affine into one map, and leave float32 images. OpenCV gets uint8
images, which it warps fastest. Both are measured in turn, by the processor time of the thread, and the best of the
rounds is taken, as other programs disturb both.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from time import thread_time
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from benchmarks.data.opencv_loops import DEGREES, SHAPES, SMOOTHNESS, STRENGTH, ZOOM, images_of
from benchmarks.training.turns import Contestant
from engine.data.augmentation.augmentations import AnyAugmentation
from engine.data.augmentation.augmenter import Augmenter

ROUNDS = 9
Listed = list[dict[str, Any]]
AFFINE: Listed = [
    {"type": "flip"},
    {"type": "rotate", "degrees": DEGREES},
    {"type": "zoom", "by": ZOOM},
    {"type": "shift"},
]
ELASTIC: Listed = [{"type": "elastic", "strength": STRENGTH, "smoothness": SMOOTHNESS}]
LIGHT: Listed = [{"type": "brightness"}, {"type": "contrast"}, {"type": "noise"}]
AUGMENT: TypeAdapter[tuple[AnyAugmentation, ...]] = TypeAdapter(tuple[AnyAugmentation, ...])
COMPARED: dict[str, tuple[Listed, str]] = {
    "flip, rotate, zoom, shift": (AFFINE, "affine"),
    "elastic": (ELASTIC, "elastic"),
    "all of these": (AFFINE + ELASTIC, "affine_and_elastic"),
    "brightness, contrast, noise": (LIGHT, "light"),
    "(bare warpAffine, nothing drawn)": (AFFINE, "warp_only"),
}


def seconds(run: Callable[[], object]) -> float:
    start = thread_time()
    run()
    return thread_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data.augmentation")
    parser.add_argument("--peers", default=sys.executable, help="the interpreter of an environment with OpenCV")
    peers = parser.parse_args().peers
    print("| images | augmentations | ours, images/s | OpenCV, images/s | ours ÷ OpenCV |")
    print("|---" * 5 + "|")
    for shape, rows in SHAPES:
        images = images_of(shape, rows)
        size = "x".join(map(str, shape))
        for name, (augment, loop) in COMPARED.items():
            augmenter = Augmenter(AUGMENT.validate_python(augment), shape, seed=0)
            theirs = Contestant([peers, "-m", "benchmarks.data.opencv_loops", loop, size, str(rows)], threads=1)
            ours = []
            for epoch in range(ROUNDS):
                ours.append(seconds(partial(augmenter.apply, images, np.arange(rows), epoch)))
                theirs.turn()
            theirs.end()
            rate, reference = rows / min(ours), rows / min(theirs.processor)
            print(f"| {size} | {name} | {rate:,.0f} | {reference:,.0f} | {rate / reference:.2f} |", flush=True)


if __name__ == "__main__":
    main()
