"""A picture: its pixels, and a file that holds them as some camera or program writes it."""

import base64
import io
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Pixels = NDArray[np.uint8]
ORIENTATION = 0x0112  # EXIF
FORMATS = {"PNG": "image/png", "BMP": "image/bmp", "TIFF": "image/tiff", "WEBP": "image/webp", "JPEG": "image/jpeg"}


@dataclass(frozen=True)
class Picture:
    """A file, its media type and ending, and the pixels that it stands for once it is upright."""

    pixels: Pixels
    file: bytes
    media_type: str
    ending: str

    @property
    def base64(self) -> str:
        return base64.b64encode(self.file).decode()


def draw_picture(random: Random, height: int, width: int, *, color: bool) -> Picture:
    """A picture of this size; Pillow says which pixels a file stands for."""
    generator = np.random.default_rng(random.getrandbits(32))
    form = random.choice([name for name in FORMATS if color or name != "WEBP"])  # WebP has no gray
    turned = form in ("PNG", "JPEG", "WEBP") and random.random() < 0.4
    size = (width, height) if turned else (height, width)
    image = Image.fromarray(generator.integers(0, 256, (*size, 3) if color else size, np.uint8))
    exif = Image.Exif()
    if turned:
        exif[ORIENTATION] = random.choice((5, 6, 7, 8))
    file = io.BytesIO()
    extra = {"lossless": True} if form == "WEBP" else {}
    image.save(file, form, **extra, **({"exif": exif} if turned else {}))
    with Image.open(io.BytesIO(file.getvalue())) as read:
        pixels = np.asarray(ImageOps.exif_transpose(read).convert("RGB" if color else "L"))
    return Picture(pixels, file.getvalue(), FORMATS[form], form.lower())
