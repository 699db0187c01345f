"""Pictures for tests: of every kind that is read, upright or not, of 8 bits a channel or more."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

KINDS = ("PNG", "JPEG", "MPO", "WEBP", "BMP", "GIF", "TIFF")
SIGNATURE = b"\x89PNG\r\n\x1a\n"
TURNED = ("PNG", "JPEG", "MPO", "WEBP", "TIFF")  # kinds that say how they are to be turned


def photograph(kind: str, pixels: np.ndarray | Image.Image, orientation: int = 1, **options) -> bytes:
    """The pixels, gray or in color, as a picture of a kind."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    if orientation != 1:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options["exif"] = exif
    if kind == "MPO":
        options |= {"save_all": True, "append_images": [image]}
    if kind == "WEBP":
        options |= {"lossless": True}
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def deep_png(samples: np.ndarray, *, late_chunk: bytes = b"", orientation: int = 1) -> bytes:
    """A PNG of 16 bits a channel, (h, w, channels), written by hand; the orientation stands behind the pixels."""
    height, width, channels = samples.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 3: 2, 2: 4, 4: 6}[channels], 0, 0, 0)
    exif = b"" if orientation == 1 else chunk(b"eXIf", tiff_orientation(orientation))
    parts = [chunk(b"IHDR", header), late_chunk, chunk(b"IDAT", zlib.compress(rows)), exif, chunk(b"IEND", b"")]
    return SIGNATURE + b"".join(parts)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def tiff_orientation(orientation: int) -> bytes:
    """EXIF that says nothing else."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def with_checksums(content: bytes) -> bytes:
    """A damaged PNG whose checksums are right, so that what is in it is looked at; anything else as it is."""
    if not content.startswith(SIGNATURE):
        return content
    parts, place = [SIGNATURE], len(SIGNATURE)
    while place + 12 <= len(content):
        end = place + 8 + int.from_bytes(content[place : place + 4])
        if end + 4 > len(content):
            break
        parts.append(content[place:end] + struct.pack(">I", zlib.crc32(content[place + 4 : end])))
        place = end + 4
    return b"".join(parts) + content[place:]
