"""Images in a zip archive, a folder a class: cats/1.jpg, dogs/7.png, or train/cats/1.jpg, test/cats/2.jpg, ….

Nothing is unpacked to disk: an image goes from the archive through Pillow into its row. What the archive and every
image's header say of themselves is held against the limits before memory is taken for pixels.
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from pydantic import Field

from engine.component import Component
from engine.data.column_types import CategoryType, TensorType
from engine.data.dataset import PARTS, Dataset
from engine.data.formats.incoming import Block, Incoming
from engine.data.formats.limits import ReadLimits
from engine.errors import DataError

PART_FOLDERS = {**{part: part for part in PARTS}, "val": "dev", "valid": "dev", "validation": "dev"}
SIZE = r"^[1-9][0-9]{0,3}x[1-9][0-9]{0,3}$"
KINDS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
MAX_DIRECTORY = 1 << 24  # bytes of zip directory: some 200 000 images
MAX_PIXELS = 1 << 24  # of one image as it is in the archive: 4096 × 4096
MAX_MEMBER = 1 << 26  # bytes of one image as it is in the archive
MAX_CLASSES = 1000
SMALL = 1 << 20  # bytes: what expands to less may be compressed as well as it likes
BLOCK = 1 << 22  # bytes of pixels handed on at a time
GRAY = ("1", "L", "I;16", "I;16B", "I", "LA", "La")
BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, UnicodeError)
DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    struct.error,
    zlib.error,
    EOFError,
    IndexError,
    Image.DecompressionBombError,
)


@dataclass(frozen=True)
class Picture:
    """One image's place: in the archive, in a part, in a class."""

    entry: zipfile.ZipInfo
    part: str
    label: str


class ImageZipFormat(Component):
    """The column "x", uint8 (h, w) or (h, w, 3), and the column "label", the folders' names."""

    type: Literal["image_zip"] = Field(
        "image_zip", description="A zip archive of PNG and JPEG images in class folders."
    )
    media_types: ClassVar[tuple[str, ...]] = ("application/zip",)
    endings: ClassVar[Mapping[str, str]] = {".zip": "application/zip"}
    size: Annotated[str, Field(pattern=SIZE)] | None = Field(
        None,
        description="`28x28`: every image is brought to this width x height, whatever its proportions; without it all "
        "have to be of one size",
    )
    mode: Literal["auto", "grayscale", "color"] = Field(
        "auto", description="grayscale: (h, w); color: (h, w, 3); auto: grayscale where all images are gray"
    )

    def read(self, path: Path, limits: ReadLimits | None = None) -> Dataset:
        """Tables in memory; DataError names the image that cannot be used, and why."""
        return Dataset({part: incoming.table() for part, incoming in self.incoming(path, limits).items()})

    def incoming(self, path: Path, limits: ReadLimits | None = None) -> dict[str, Incoming]:
        """What each part holds, rows in the archive's order; DataError where the images do not fit together.

        Classes are in alphabetical order, or by number where all are numbers. Images are decoded block by block.
        """
        limits = limits or ReadLimits()
        _check_tail(path)
        try:
            with zipfile.ZipFile(path) as archive:
                pictures = _pictures(_entries(archive, path.stat().st_size, limits))
                shape = self._shape(archive, pictures, limits)
        except BROKEN as error:
            raise DataError(f"the archive is damaged: {error}; pack the images anew") from None
        labels = _labels(pictures)
        if prod(shape) > limits.max_features or len(pictures) * prod(shape) > limits.max_expanded_bytes:
            raise DataError(
                f"{len(pictures)} images of {_by(shape)} are too much: at most {limits.max_features} values in one and "
                f"{limits.max_expanded_bytes} bytes in all are allowed; ask for a smaller size, such as size=64x64"
            )
        parts = {part: [p for p in pictures if p.part == part] for part in ("all", *PARTS)}
        for part, listed in parts.items():
            if part in ("all", "train") and len(listed) == 1:
                raise DataError("the archive has one image to learn from; a dataset needs at least two")
        return {part: self._of(path, listed, shape, labels, limits) for part, listed in parts.items() if listed}

    def _shape(self, archive: zipfile.ZipFile, pictures: Sequence[Picture], limits: ReadLimits) -> tuple[int, ...]:
        """Of every image once it is decoded, by a look at the headers of all."""
        first: tuple[int, int] | None = None
        color = self.mode == "color"
        for picture in pictures:
            with _opened(archive, picture, limits) as image:
                size = _upright_size(image)
                color |= self.mode == "auto" and image.mode not in GRAY and not _gray_palette(image)
            first = first or size
            if self.size is None and size != first:
                raise DataError(
                    f"{_named(picture)} is {size[0]}x{size[1]} and {_named(pictures[0])} is {first[0]}x{first[1]}, "
                    "width x height; all images have one size, or are brought to one: upload with "
                    f"size={first[0]}x{first[1]}"
                )
        w, h = map(int, self.size.split("x")) if self.size else first or (0, 0)
        return (h, w, 3) if color else (h, w)

    def _of(
        self,
        path: Path,
        pictures: Sequence[Picture],
        shape: tuple[int, ...],
        labels: tuple[str, ...],
        limits: ReadLimits,
    ) -> Incoming:
        codes = {label: code for code, label in enumerate(labels)}
        answers = np.array([codes[picture.label] for picture in pictures], np.int32)

        def blocks() -> Iterator[Block]:
            step = max(1, BLOCK // prod(shape))
            try:
                with zipfile.ZipFile(path) as archive:
                    for start in range(0, len(pictures), step):
                        some = pictures[start : start + step]
                        x = np.empty((len(some), *shape), np.uint8)
                        for row, picture in enumerate(some):
                            x[row] = _pixels(archive, picture, shape, limits)
                        yield {"x": x, "label": answers[start : start + step]}
            except BROKEN as error:
                raise DataError(f"the archive is damaged: {error}; pack the images anew") from None

        return Incoming(
            rows=len(pictures),
            types={"x": TensorType(), "label": CategoryType(labels=labels)},
            dtypes={"x": np.dtype(np.uint8), "label": np.dtype(np.int32)},
            shapes={"x": shape, "label": ()},
            blocks=blocks,
        )


# -- the archive ----------------------------------------------------------------------------------------------------


def _check_tail(path: Path) -> None:
    """Refuse what is no zip file, or has a directory that would fill memory when it is listed."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = max(size - (1 << 16) - 42, 0)  # the end record with the longest comment, and what is before it
        file.seek(start)
        tail = file.read()
        end = tail.rfind(b"PK\5\6")
        if end < 0 or len(tail) - end < 22:
            raise DataError("the file is no zip archive; pack a folder of images for each class")
        directory = int.from_bytes(tail[end + 12 : end + 16], "little")
        if directory == 0xFFFFFFFF or tail[max(end - 20, 0) : end][:4] == b"PK\6\7":  # more than 65 535 members
            at = int.from_bytes(tail[end - 12 : end - 4], "little")
            if at > size:
                raise DataError("the archive is damaged: its directory lies outside of it; pack the images anew")
            file.seek(at)
            record = file.read(56)
            directory = max(int.from_bytes(record[40:48], "little"), 0 if directory == 0xFFFFFFFF else directory)
    if directory > MAX_DIRECTORY:
        raise DataError(f"the archive's directory is longer than {MAX_DIRECTORY} bytes; upload fewer images at a time")


def _entries(archive: zipfile.ZipFile, size: int, limits: ReadLimits) -> list[zipfile.ZipInfo]:
    """The images' entries, without folders and what desktops leave behind; DataError for anything else."""
    found: dict[str, zipfile.ZipInfo] = {}
    total = 0
    for entry in archive.infolist():
        name = entry.filename
        names = name.split("/")
        if name.startswith("/") or "\\" in name or ":" in names[0] or ".." in names or "." in names:
            raise DataError(f"the archive holds {_short(name)}, a name that leads out of it; pack the images anew")
        if (
            entry.filename.endswith("/")
            or names[-1].startswith(".")
            or names[-1] == "Thumbs.db"
            or names[0] == "__MACOSX"
        ):
            continue
        if entry.external_attr >> 28 == 0xA:
            raise DataError(f"{_short(name)} is a symbolic link; pack the image itself")
        if Path(names[-1]).suffix.lower() not in KINDS:
            raise DataError(f"the archive holds {_short(name)}; only PNG and JPEG images are read, no archives within")
        if name in found:
            raise DataError(f"the archive holds {_short(name)} twice")
        if entry.flag_bits & 1:
            raise DataError(f"{_short(name)} is encrypted; pack the images without a password")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(
                f"{_short(name)} is packed by method {entry.compress_type}; only stored and deflated are read"
            )
        if entry.file_size > max(SMALL, limits.max_ratio * entry.compress_size):
            raise DataError(
                f"{_short(name)} expands from {entry.compress_size} to {entry.file_size} bytes, more than "
                f"{limits.max_ratio} times; pack the images uncompressed"
            )
        if entry.file_size > MAX_MEMBER:
            raise DataError(f"{_short(name)} has {entry.file_size} bytes; at most {MAX_MEMBER} are read of one image")
        if not 0 <= entry.header_offset < size:
            raise DataError(f"the archive is damaged: {_short(name)} lies outside of it; pack the images anew")
        total += entry.file_size
        found[name] = entry
    if total > limits.max_expanded_bytes:
        raise DataError(f"the archive expands to {total} bytes; at most {limits.max_expanded_bytes} are allowed")
    if not found:
        raise DataError("the archive holds no image; pack PNG or JPEG images in a folder for each class")
    if len(found) > limits.max_rows:
        raise DataError(f"the archive holds {len(found)} images; at most {limits.max_rows} are allowed")
    return list(found.values())


def _pictures(entries: Sequence[zipfile.ZipInfo]) -> list[Picture]:
    """Part and class of every image, by its folders; one folder around all of them says nothing."""
    paths = [entry.filename.split("/")[:-1] for entry in entries]
    while all(len(path) > 1 for path in paths) and len({path[0] for path in paths}) == 1 and not _are_parts(paths):
        paths = [path[1:] for path in paths]
    in_parts = _are_parts(paths)
    pictures = []
    for entry, path in zip(entries, paths, strict=True):
        if len(path) != 1 + in_parts:
            wanted = "part/class/image, such as train/cat/1.png" if in_parts else "class/image, such as cat/1.png"
            raise DataError(f"{_short(entry.filename)} is not where it should be; the archive is laid out as {wanted}")
        if not path[-1].strip() or len(path[-1]) > 64 or not path[-1].isprintable():
            raise DataError(f"{_short(entry.filename)}: a class folder has a name of 1 to 64 characters that print")
        pictures.append(Picture(entry, PART_FOLDERS[path[0]] if in_parts else "all", path[-1]))
    if in_parts and not any(picture.part == "train" for picture in pictures):
        raise DataError("the archive has parts, and none is called train; name the folders train, dev and test")
    return pictures


def _are_parts(paths: Sequence[Sequence[str]]) -> bool:
    """Whether the outer folders are parts: at least one has classes in it, and all are called like a part."""
    return any(len(path) > 1 for path in paths) and all(path and path[0] in PART_FOLDERS for path in paths)


def _labels(pictures: Sequence[Picture]) -> tuple[str, ...]:
    names = {picture.label for picture in pictures}
    if not 2 <= len(names) <= MAX_CLASSES:
        raise DataError(
            f"the archive has {len(names)} class folders; it needs 2 to {MAX_CLASSES}, each named after what its "
            "images show"
        )
    numbers = all(re.fullmatch(r"\d{1,9}", name) for name in names)
    return tuple(sorted(names, key=(lambda name: (int(name), name)) if numbers else (lambda name: (0, name))))


# -- an image -------------------------------------------------------------------------------------------------------


def _opened(archive: zipfile.ZipFile, picture: Picture, limits: ReadLimits) -> Image.Image:
    """The image with its header read and found small enough."""
    kind = KINDS[Path(picture.entry.filename).suffix.lower()]
    with archive.open(picture.entry) as file:
        content = file.read(picture.entry.file_size)  # a read without a length would expand all there is
        file.read(1)  # the end of the member is where zipfile compares the checksum
    try:
        image = Image.open(BytesIO(content), formats=tuple(dict.fromkeys((kind, "PNG", "JPEG"))))
    except UnidentifiedImageError:
        raise DataError(f"{_named(picture)} is no {kind} image; remove it or save it anew") from None
    except DAMAGED as error:
        raise DataError(f"{_named(picture)} is damaged: {_short(str(error))}; remove it or save it anew") from None
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        raise DataError(f"{_named(picture)} has {image.width}x{image.height} pixels; at most {MAX_PIXELS} are read")
    if pixels > max(SMALL, limits.max_ratio * picture.entry.file_size):
        raise DataError(
            f"{_named(picture)} expands from {picture.entry.file_size} bytes to {pixels} pixels, more than "
            f"{limits.max_ratio} times; save it smaller"
        )
    return image


def _pixels(
    archive: zipfile.ZipFile, picture: Picture, shape: tuple[int, ...], limits: ReadLimits
) -> NDArray[np.uint8]:
    """The image as it is kept: upright, opaque, gray or in color, of the shape."""
    with _opened(archive, picture, limits) as opened:
        try:
            image = ImageOps.exif_transpose(opened) if opened.format == "JPEG" else opened
            if image.mode in ("I;16", "I;16B", "I"):  # 16 bits: the upper ones
                image = Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
            if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            image = image.convert("RGB" if len(shape) == 3 else "L")
            if image.size != (shape[1], shape[0]):
                image = image.resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
            return np.asarray(image)
        except DAMAGED as error:
            raise DataError(f"{_named(picture)} is damaged: {_short(str(error))}; remove it or save it anew") from None


def _upright_size(image: Image.Image) -> tuple[int, int]:
    turned = image.format == "JPEG" and image.getexif().get(0x0112, 1) >= 5  # 5 to 8: by a quarter
    return (image.height, image.width) if turned else image.size


def _gray_palette(image: Image.Image) -> bool:
    """Whether an image of indexed colors has gray ones only."""
    if image.mode != "P" or image.palette is None:
        return False
    colors: Any = np.frombuffer(image.palette.tobytes(), np.uint8)
    colors = colors[: len(colors) // 3 * 3].reshape(-1, 3)
    return bool((colors == colors[:, :1]).all())


def _named(picture: Picture) -> str:
    return _short(picture.entry.filename)


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
