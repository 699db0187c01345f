"""A picture of what augmentations do: each row an original, and beside it several draws."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.data.augmentation.augmentations import AnyAugmentation
from engine.data.augmentation.augmenter import Augmenter, augmented_column
from engine.data.table import Table
from engine.errors import SpecError

CELL = 64  # pixels a side, at least: smaller images are enlarged by a whole number
MAX_CELL = 256  # pixels of the longer side, at most: of larger images only every second pixel is shown, or third, …
GAP = 4
BACKGROUND = (70, 90, 120)


def augmented_sheet(
    table: Table,
    augment: Sequence[AnyAugmentation],
    *,
    rows: int,
    draws: int,
    seed: int,
    pointer: str = "/data/augment",
) -> bytes:
    """A PNG of the table's first rows, as they are and as the epochs 1 to `draws` would see them.

    What mixup blends are rows of the sheet. SpecError (its pointer begins as told) where there is no image to vary.
    """
    shapes = {name: shape for name, shape in table.shapes.items() if len(shape) > 1} or table.shapes
    column = augmented_column(augment, shapes, pointer)
    if column is None:
        raise SpecError(pointer, f"the dataset has no single column of images to show; it has {', '.join(shapes)}")
    images = table.columns[column][: min(rows, table.rows)]
    augmenter = Augmenter(augment, shapes[column], seed)
    index = np.arange(len(images))
    columns: list[NDArray[Any]] = [images]
    for epoch in range(1, draws + 1):
        varied = augmenter.apply(images, index, epoch).astype(np.float64)  # a copy: the next draw overwrites it
        flat = varied.reshape(len(images), -1)
        augmenter.mix(flat, np.ones((len(images), 1)), index, epoch)
        columns.append(flat.reshape(images.shape))
    return _png([_eight_bits(column, images) for column in columns])


def _eight_bits(values: NDArray[Any], originals: NDArray[Any]) -> NDArray[np.uint8]:
    """(b, h, w, 1, 3 or 4): bytes as they are, anything else between the originals' least and greatest."""
    if originals.dtype != np.uint8:
        low, high = float(originals.min()), float(originals.max())
        values = (values - low) * (255 / max(high - low, np.finfo(np.float64).tiny))
    shape = (*originals.shape, 1)[:4]
    return np.clip(np.round(values), 0, 255).astype(np.uint8).reshape(shape)


def _png(columns: Sequence[NDArray[np.uint8]]) -> bytes:
    rows, h, w, channels = columns[0].shape
    thin = -(-max(h, w) // MAX_CELL)
    scale = max(1, CELL // max(h, w))
    h, w = -(-h // thin) * scale, -(-w // thin) * scale
    sheet = Image.new("RGB", (len(columns) * (w + GAP) + 2 * GAP, rows * (h + GAP) + GAP), BACKGROUND)
    for place, column in enumerate(columns):
        for row, image in enumerate(column):
            shown = image[::thin, ::thin].repeat(scale, axis=0).repeat(scale, axis=1)
            # The originals stand a little apart.
            corner = (GAP + place * (w + GAP) + GAP * (place > 0), GAP + row * (h + GAP))
            sheet.paste(Image.fromarray(shown[..., 0] if channels == 1 else shown), corner)
    file = BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()
