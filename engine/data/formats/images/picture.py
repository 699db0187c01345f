"""A picture as bytes of a PNG, JPEG, WebP, BMP, GIF or TIFF becomes an array, the same wherever it comes from.

Its content says what it is, not its name. It is turned upright as EXIF says, what can be seen through stands on white,
and of several frames the first is taken. What its header says is held against limits before memory is taken for pixels.
"""

import base64
import binascii
import re
import struct
import zlib
from collections.abc import Callable
from functools import cached_property, lru_cache
from io import BytesIO
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, TiffImagePlugin, UnidentifiedImageError

from engine.data.formats.images.picture_reading import WHITE, PictureReading
from engine.data.formats.limits import ReadLimits
from engine.errors import DataError

KINDS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")  # a JPEG of several pictures, as phones make, is an MPO
SAID = "PNG, JPEG, WebP, BMP, GIF or TIFF"
MAX_PIXELS = 1 << 24  # of one picture as it comes: 4096 × 4096
MAX_BYTES = 1 << 26  # of one picture as it comes
SMALL = 1 << 20  # pixels of one picture: so many may stand in as few bytes as they like
MANY = 1 << 28  # pixels of all pictures: the same
GRAY = ("1", "L", "I;16", "I;16B", "I;16L", "I", "LA", "La")
DEEP = ("I;16", "I;16B", "I;16L", "I")
MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF", b"BM", b"GIF8", b"II*\0", b"MM\0*")
ORIENTATION, BITS, TILE = 0x0112, 0x0102, (0x0142, 0x0143)  # EXIF and TIFF: of a picture, of a sample, of a tile
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
QUARTER = (5, 6, 7, 8)  # orientations that exchange width and height
# What Pillow raises for damaged pictures.
DAMAGED = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, struct.error, zlib.error, EOFError,
    Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip

Pixels = NDArray[np.uint8]
Result = TypeVar("Result")


class PixelBudget:
    """How many pixels the pictures of one file or request may have in all, for the time that decoding them takes."""

    def __init__(self, size: int, limits: ReadLimits | None = None) -> None:
        self._most = self._left = max(MANY, (limits or ReadLimits()).max_ratio * size)

    def spend(self, picture: "Picture") -> None:
        """Count a picture; DataError where it is one too many."""
        self._left -= picture.pixels
        if self._left < 0:
            raise DataError(f"{picture.name} and those before it have more than {self._most} pixels; save them smaller")


class Picture:
    """A picture whose header was read and found small enough; DataError, which begins with its name, where it was not.

    The pixels are decoded when they are asked for.
    """

    def __init__(self, content: bytes, name: str, limits: ReadLimits | None = None) -> None:
        self.name = name
        self._content = content
        self._image = self._tried(lambda: _opened(content, name))
        width, height = self._image.size
        ratio = (limits or ReadLimits()).max_ratio
        if width * height > MAX_PIXELS:
            raise DataError(f"{name} has {width}x{height} pixels; at most {MAX_PIXELS} are read")
        if width * height > max(SMALL, ratio * len(content)):
            raise DataError(
                f"{name} expands from {len(content)} bytes to {width * height} pixels, more than {ratio} times; save "
                "it smaller"
            )
        if isinstance(self._image, TiffImagePlugin.TiffImageFile):
            self._check_tiff(self._image)

    @property
    def pixels(self) -> int:
        """How many pixels it has."""
        return self._image.width * self._image.height

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height once it stands upright."""
        width, height = self._image.size
        return (height, width) if self._orientation in QUARTER else (width, height)

    @cached_property
    def is_gray(self) -> bool:
        return self._image.mode in GRAY or self._png == (16, 4) or self._has_gray_palette()

    @cached_property
    def is_deep(self) -> bool:
        """Whether it has more than 8 bits a channel."""
        return self._image.mode in DEEP or self._png[0] == 16

    def greatest(self) -> int:
        """The greatest value of a deep picture, from 0 to 65535."""
        samples = self._samples
        opaque = samples[..., : {2: 1, 4: 3}.get(samples.shape[2], samples.shape[2])]
        return int(opaque.max())

    def array(self, shape: tuple[int, ...], white: int = WHITE) -> Pixels:
        """The picture as it is kept, of a shape (h, w), (h, w, 1) or (h, w, 3), and brought to that size."""
        return self._tried(lambda: self._array(shape, white))

    def _array(self, shape: tuple[int, ...], white: int) -> Pixels:
        image = self._shallow(white) if self.is_deep else self._image
        image.load()
        turn = UPRIGHT.get(self._orientation)
        if turn is not None:
            transparency = image.info.get("transparency")
            image = image.transpose(turn)
            if transparency is not None:
                image.info["transparency"] = transparency
        if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        image = image.convert("RGB" if shape[2:] == (3,) else "L")
        if image.size != (shape[1], shape[0]):
            image = image.resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
        return np.asarray(image).reshape(shape)

    def _shallow(self, white: int) -> Image.Image:
        """A deep picture in 8 bits a channel: white is 255, and what is beyond it, too."""
        samples = self._samples
        channels = samples.shape[2]
        made = np.empty(samples.shape, np.uint8)
        for channel in range(channels):  # how opaque a pixel is does not depend on what is white
            is_alpha = channels in (2, 4) and channel == channels - 1
            np.take(_levels(WHITE if is_alpha else white), samples[..., channel], out=made[..., channel])
        clear = self._image.info.get("transparency")
        if clear is not None and channels in (1, 3):
            made[(samples == np.asarray(clear, np.uint16)).all(axis=2)] = 255
        return Image.fromarray(made[..., 0] if channels == 1 else made)

    @cached_property
    def _samples(self) -> NDArray[np.uint16]:
        """The values of a deep picture, (h, w, channels)."""
        return self._tried(self._deep_samples)

    def _deep_samples(self) -> NDArray[np.uint16]:
        if self._image.mode in DEEP:
            values = np.asarray(self._image)
            if values.min() < 0 or values.max() > WHITE:
                raise DataError(
                    f"{self.name} holds values from {values.min()} to {values.max()}; those of a picture are 0 to "
                    f"{WHITE}: save it anew as unsigned 16 bits"
                )
            return values.astype(np.uint16)[..., np.newaxis]
        # Pillow keeps the upper byte of each sample; read in the other order, it keeps the lower one.
        if self._png[1] == 4:  # gray and alpha: both bytes of both, as if they were four channels
            four = _decoded(self._content, "RGBA")
            upper, lower = four[..., ::2], four[..., 1::2]
        else:
            upper, lower = (_decoded(self._content, f"{self._image.mode};16{order}") for order in "BL")
        samples = upper.astype(np.uint16)
        samples <<= 8
        samples |= lower
        return samples

    @cached_property
    def _png(self) -> tuple[int, int]:
        """Bits of a sample and kind of color, as the header of a PNG says; 0, 0 for any other picture."""
        return (self._content[24], self._content[25]) if self._image.format == "PNG" else (0, 0)

    @cached_property
    def _orientation(self) -> int:
        """As EXIF counts them, 1 to 8; 1 where it cannot be read, as browsers have it."""
        image = self._image
        if image.format == "TIFF":  # which Pillow turns by itself
            return 1
        told = {"exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp"} & image.info.keys()
        if not told and b"eXIf" not in self._content:  # behind the pixels, which Pillow would decode to look for it
            return 1
        try:
            found = image.getexif().get(ORIENTATION, 1)
        except DAMAGED:
            return 1
        return found if found in range(1, 9) else 1

    def _has_gray_palette(self) -> bool:
        """Whether it has indexed colors, and gray ones only."""
        if self._image.mode != "P" or self._image.palette is None:
            return False
        colors = np.array(self._tried(lambda: self._image.getpalette() or []), np.uint8).reshape(-1, 3)
        return bool((colors == colors[:, :1]).all())

    def _check_tiff(self, image: TiffImagePlugin.TiffImageFile) -> None:
        """Refuse what Pillow would read wrongly, and tiles that would take more memory than all pixels may."""
        bits, width, height = self._tried(lambda: [_largest(image, tag) for tag in (BITS, *TILE)])
        if image.mode == "F":
            raise DataError(f"{self.name} holds fractions; save it anew with 8 or 16 bits a channel")
        if bits > 8 and image.mode not in DEEP:
            raise DataError(
                f"{self.name} is a TIFF in color with {bits} bits a channel; save it as PNG, or with 8 bits"
            )
        if width * height > MAX_PIXELS:
            raise DataError(f"{self.name} has tiles of more than {MAX_PIXELS} pixels; save it anew")

    def _tried(self, decode: Callable[[], Result]) -> Result:
        try:
            return decode()
        except DataError:
            raise
        except DAMAGED as error:
            said = str(error)[:80] or type(error).__name__
            raise DataError(f"{self.name} is damaged: {said}; remove it or save it anew") from None


def picture_in(
    value: str | bytes, shape: tuple[int, ...], reading: PictureReading, budget: PixelBudget | None = None
) -> Pixels:
    """The array that a picture sent for prediction is: its bytes, or base64 of them, perhaps in a data URL.

    DataError where it is no picture, or is not of the column's size and cannot be brought to it.
    """
    picture = Picture(_content(value), "the picture")
    if budget is not None:
        budget.spend(picture)
    height, width = shape[:2]
    if not reading.resized and picture.size != (width, height):
        raise DataError(
            f"the picture is {picture.size[0]}x{picture.size[1]}, width x height, and those that the model learned "
            f"from are {width}x{height}; resize it, or upload those with size={width}x{height}: then all are"
        )
    if picture.is_deep and reading.white is None:
        raise DataError(
            "the picture has 16 bits, and those that the model learned from have 8, so nothing says which value is "
            "white; save it with 8 bits"
        )
    return picture.array(shape, reading.white or WHITE)


def holds_pictures(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Whether rows of some shape are what pictures become."""
    return dtype == np.uint8 and (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3)))


def _content(value: str | bytes) -> bytes:
    data = value.encode("utf-8", "replace") if isinstance(value, str) else bytes(value)
    if data.startswith(MAGIC):
        return _short_enough(data)
    text = data.strip()
    if text[:5].lower() == b"data:":
        text = text.partition(b",")[2]
    text = re.sub(rb"\s+", b"", text).rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    try:
        content = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        content = b""
    if not content and isinstance(value, bytes):
        return data
    if not content:
        raise DataError("the text is no picture; send the bytes of a picture as base64, or numbers")
    return _short_enough(content)


def _short_enough(content: bytes) -> bytes:
    if len(content) > MAX_BYTES:
        raise DataError(f"the picture has {len(content)} bytes; at most {MAX_BYTES} are read")
    return content


def _opened(content: bytes, name: str) -> ImageFile.ImageFile:
    try:
        return Image.open(BytesIO(content), formats=KINDS)
    except UnidentifiedImageError:
        raise DataError(f"{name} is no {SAID}; save it as one of them") from None
    except Image.DecompressionBombError:
        raise DataError(f"{name} has more than {MAX_PIXELS} pixels, the most that are read; save it smaller") from None


@lru_cache(maxsize=8)
def _levels(white: int) -> Pixels:
    """What every value of 16 bits is in 8."""
    levels: Pixels = np.rint(np.minimum(np.arange(WHITE + 1) / white, 1) * 255).astype(np.uint8)
    return levels


def _largest(image: TiffImagePlugin.TiffImageFile, tag: int) -> int:
    """The largest number that a tag has; 1 without it."""
    value = image.tag_v2.get(tag, 1)
    return max(map(int, value)) if isinstance(value, tuple) else int(value)


def _decoded(content: bytes, order: str) -> Pixels:
    """The pixels of a PNG whose samples of 16 bits are unpacked in another way."""
    image = Image.open(BytesIO(content), formats=("PNG",))
    image._mode = order.partition(";")[0]
    image.tile = [tile._replace(args=order) for tile in image.tile]
    return np.asarray(image)
