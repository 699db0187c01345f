"""Pictures as Hypothesis draws them: of every kind that is read, in every mode, upright or not."""

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from tests.engine.data.pictures import KINDS, TURNED, deep_png, photograph

MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK")
OF_KIND = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA"),
    "JPEG": ("L", "RGB", "CMYK"),
    "MPO": ("L", "RGB"),
    "WEBP": ("L", "RGB", "RGBA"),
    "BMP": ("1", "L", "P", "RGB"),
    "GIF": ("1", "L", "P", "RGB", "RGBA"),
    "TIFF": MODES,
}


@st.composite
def pictures(draw) -> bytes:
    """A picture of any kind that is read, of random pixels, upright or not."""
    seed = draw(st.integers(0, 2**32 - 1))
    width, height = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    orientation = draw(st.integers(1, 8))
    random = np.random.default_rng(seed)
    if draw(st.integers(0, 3)) == 0:
        channels, greatest = draw(st.integers(1, 4)), draw(st.sampled_from([1, 200, 4095, 65535]))
        return deep_png(random.integers(0, greatest + 1, (height, width, channels)), orientation=orientation)
    kind = draw(st.sampled_from(KINDS))
    mode = draw(st.sampled_from(OF_KIND[kind]))
    image = Image.fromarray(random.integers(0, 256, (height, width, 4), np.uint8), "RGBA").convert(mode)
    return photograph(kind, image, orientation if kind in TURNED else 1)
