"""Images in a zip archive, a folder a class: cats/1.jpg, dogs/7.png, or train/cats/1.jpg, test/cats/2.jpg, ….

Nothing is unpacked to disk: an image goes from the archive through the decoder into its row.
"""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from engine.component import Component
from engine.data.column_types import CategoryType, TensorType
from engine.data.dataset import PARTS, Dataset
from engine.data.formats.guess import Guess
from engine.data.formats.images.image_archive import BROKEN, Member, check_tail, labels_of, members_of
from engine.data.formats.images.picture import PixelBudget
from engine.data.formats.images.picture_reading import WHITE, PictureReading
from engine.data.formats.incoming import Block, Incoming
from engine.data.formats.limits import ReadLimits
from engine.errors import DataError

SIZE = r"^[1-9][0-9]{0,3}x[1-9][0-9]{0,3}$"
BLOCK = 1 << 22  # bytes of pixels handed on at a time


class ImageZipFormat(Component):
    """The column "x", uint8 (h, w) or (h, w, 3), and the column "label", the folders' names."""

    type: Literal["image_zip"] = Field(
        "image_zip", description="A zip archive of images in class folders: PNG, JPEG, WebP, BMP, GIF or TIFF."
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
    white: Annotated[int, Field(ge=1, le=WHITE)] | None = Field(
        None,
        description="the value that is white in images of 16 bits, such as 4095 where they use 12; without it the "
        "greatest of all of them",
    )

    def read(self, path: Path, limits: ReadLimits | None = None) -> Dataset:
        """Tables in memory; DataError names the image that cannot be used, and why."""
        return Dataset({part: incoming.table() for part, incoming in self.incoming(path, limits).items()})

    def incoming(self, path: Path, limits: ReadLimits | None = None) -> dict[str, Incoming]:
        """What each part holds, rows in the archive's order; DataError where the images do not fit together.

        Classes are in alphabetical order, or by number where all are numbers. Images are decoded block by block.
        """
        limits = limits or ReadLimits()
        check_tail(path)
        size = path.stat().st_size
        try:
            with zipfile.ZipFile(path) as archive:
                members = members_of(archive, size, limits)
                shape, white = self._look(archive, members, limits, PixelBudget(size, limits))
        except BROKEN as error:
            raise DataError(f"the archive is damaged: {str(error)[:100]}; pack the images anew") from None
        labels = labels_of(members)
        if prod(shape) > limits.max_features or len(members) * prod(shape) > limits.max_expanded_bytes:
            raise DataError(
                f"{len(members)} images of {_by(shape)} are too much: at most {limits.max_features} values in one and "
                f"{limits.max_expanded_bytes} bytes in all are allowed; ask for a smaller size, such as size=64x64"
            )
        parts = {part: [member for member in members if member.part == part] for part in ("all", *PARTS)}
        for part, listed in parts.items():
            if part in ("all", "train") and len(listed) == 1:
                raise DataError("the archive has one image to learn from; a dataset needs at least two")
        reading = PictureReading(resized=self.size is not None, white=white)
        guesses = (_guess_of(white),) if self.white is None and white not in (None, WHITE) else ()
        return {
            part: replace(self._of(path, listed, shape, reading, labels, limits), guesses=guesses)
            for part, listed in parts.items()
            if listed
        }

    def _look(
        self, archive: zipfile.ZipFile, members: Sequence[Member], limits: ReadLimits, budget: PixelBudget
    ) -> tuple[tuple[int, ...], int | None]:
        """The shape of every image once it is decoded, by the headers of all, and what is white in deep ones."""
        first: tuple[int, int] | None = None
        color = self.mode == "color"
        greatest = -1
        for member in members:
            picture = member.opened(archive, limits)
            budget.spend(picture)
            size = picture.size
            color |= self.mode == "auto" and not picture.is_gray
            if picture.is_deep:
                greatest = max(greatest, self.white or picture.greatest())
            first = first or size
            if self.size is None and size != first:
                raise DataError(
                    f"{member.name} is {size[0]}x{size[1]} and {members[0].name} is {first[0]}x{first[1]}, "
                    "width x height; all images have one size, or are brought to one: upload with "
                    f"size={first[0]}x{first[1]}"
                )
        w, h = map(int, self.size.split("x")) if self.size else first or (0, 0)
        return (h, w, 3) if color else (h, w), None if greatest < 0 else greatest or WHITE

    def _of(
        self,
        path: Path,
        members: Sequence[Member],
        shape: tuple[int, ...],
        reading: PictureReading,
        labels: tuple[str, ...],
        limits: ReadLimits,
    ) -> Incoming:
        codes = {label: code for code, label in enumerate(labels)}
        answers = np.array([codes[member.label] for member in members], np.int32)

        def blocks() -> Iterator[Block]:
            step = max(1, BLOCK // prod(shape))
            try:
                with zipfile.ZipFile(path) as archive:
                    for start in range(0, len(members), step):
                        some = members[start : start + step]
                        x = np.empty((len(some), *shape), np.uint8)
                        for row, member in enumerate(some):
                            x[row] = member.opened(archive, limits).array(shape, reading.white or WHITE)
                        yield {"x": x, "label": answers[start : start + step]}
            except BROKEN as error:
                raise DataError(f"the archive is damaged: {str(error)[:100]}; pack the images anew") from None

        return Incoming(
            rows=len(members),
            types={"x": TensorType(picture=reading), "label": CategoryType(labels=labels)},
            dtypes={"x": np.dtype(np.uint8), "label": np.dtype(np.int32)},
            shapes={"x": shape, "label": ()},
            blocks=blocks,
        )


def _guess_of(greatest: int | None) -> Guess:
    return Guess.of(
        "white level",
        f"the images of 16 bits use values up to {greatest} of {WHITE}: that is taken for white, here and in those to "
        "predict; if another value is, such as 4095 for 12 bits, upload with white=4095",
        f"white={greatest}",
    )


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
