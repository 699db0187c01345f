"""The images of a zip archive: which entries are images, and which part and class the folders around them say.

Nothing is unpacked to disk. What the archive says of itself is held against the limits before memory is taken.
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.data.dataset import PARTS
from engine.data.formats.archive_member import check_member
from engine.data.formats.images.picture import MAX_BYTES, Picture
from engine.data.formats.limits import ReadLimits
from engine.errors import DataError

PART_FOLDERS = {
    **{part: part for part in PARTS},
    "training": "train", "testing": "test", "val": "dev", "valid": "dev", "validation": "dev",
}  # fmt: skip
MAX_DIRECTORY = 1 << 24  # bytes of zip directory: some 200 000 images
MAX_CLASSES = 1000
WORKBOOKS = ("xl/workbook.xml", "xl/workbook.bin", "content.xml")  # what a zip that is no archive of images holds
SMALL = 1 << 20  # bytes: what expands to less may be compressed as well as it likes
LITTER = ("thumbs.db", "desktop.ini")  # what Windows leaves in folders; macOS and Linux begin such names with a dot
BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, UnicodeError)


@dataclass(frozen=True)
class Member:
    """One image's place: in the archive, in a part, in a class."""

    entry: zipfile.ZipInfo
    part: str
    label: str

    @property
    def name(self) -> str:
        """For messages."""
        return short(self.entry.filename)

    def opened(self, archive: zipfile.ZipFile, limits: ReadLimits) -> Picture:
        """The image with its header read; DataError where it is none, or is too large."""
        with archive.open(self.entry) as file:
            content = file.read(self.entry.file_size)  # a read without a length would expand all there is
            file.read(1)  # the end of the member is where zipfile compares the checksum
        return Picture(content, self.name, limits)


def check_tail(path: Path) -> None:
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


def members_of(archive: zipfile.ZipFile, size: int, limits: ReadLimits) -> list[Member]:
    """The images of an archive of so many bytes, in its order, with the part and the class of each."""
    return _placed(_entries(archive, size, limits))


def labels_of(members: Sequence[Member]) -> tuple[str, ...]:
    """The classes in alphabetical order, or by number where all are numbers."""
    names = {member.label for member in members}
    if not 2 <= len(names) <= MAX_CLASSES:
        raise DataError(
            f"the archive has {len(names)} class folders; it needs 2 to {MAX_CLASSES}, each named after what its "
            "images show"
        )
    numbers = all(re.fullmatch(r"\d{1,9}", name) for name in names)
    return tuple(sorted(names, key=(lambda name: (int(name), name)) if numbers else (lambda name: (0, name))))


def _entries(archive: zipfile.ZipFile, size: int, limits: ReadLimits) -> list[tuple[zipfile.ZipInfo, tuple[str, ...]]]:
    """The images' entries and the folders around each, without what desktops leave behind; DataError for links,
    passwords, and whatever leads out of the archive or is too large."""
    found: dict[tuple[str, ...], zipfile.ZipInfo] = {}
    total = 0
    for entry in archive.infolist():
        name = entry.filename
        whole = name.replace("\\", "/")  # as PowerShell writes it
        names = tuple(part for part in whole.split("/") if part != ".")
        if whole.startswith("/") or ":" in names[0] or ".." in names:
            raise DataError(f"the archive holds {short(name)}, a name that leads out of it; pack the images anew")
        if whole.endswith("/") or any(part.startswith(".") or part == "__MACOSX" for part in names):
            continue
        if names[-1].lower() in LITTER:
            continue
        if entry.external_attr >> 28 == 0xA:
            raise DataError(f"{short(name)} is a symbolic link; pack the image itself")
        if names in found:
            raise DataError(f"the archive holds {short(name)} twice")
        check_member(
            entry,
            short(name),
            small=SMALL,
            max_ratio=limits.max_ratio,
            open_it="pack the images without a password",
            store_it="pack the images uncompressed",
        )
        if entry.file_size > MAX_BYTES:
            raise DataError(f"{short(name)} has {entry.file_size} bytes; at most {MAX_BYTES} are read of one image")
        if not 0 <= entry.header_offset < size:
            raise DataError(f"the archive is damaged: {short(name)} lies outside of it; pack the images anew")
        total += entry.file_size
        found[names] = entry
    if total > limits.max_expanded_bytes:
        raise DataError(f"the archive expands to {total} bytes; at most {limits.max_expanded_bytes} are allowed")
    if not found:
        raise DataError("the archive holds no image; pack images in a folder for each class")
    if len(found) > limits.max_rows:
        raise DataError(f"the archive holds {len(found)} images; at most {limits.max_rows} are allowed")
    return [(entry, names[:-1]) for names, entry in found.items()]


def _placed(entries: Sequence[tuple[zipfile.ZipInfo, tuple[str, ...]]]) -> list[Member]:
    """Part and class of every image, by its folders; one folder around all of them says nothing."""
    if any(entry.filename in WORKBOOKS for entry, _ in entries):
        raise DataError(
            "the archive is a workbook; send it as a form with the file's name, such as -F file=@table.xlsx, or as "
            "Content-Type: application/vnd.ms-excel"
        )
    paths = [tuple(name.strip() for name in folders) for _, folders in entries]
    while all(len(path) > 1 for path in paths) and len({path[0] for path in paths}) == 1 and not _are_parts(paths):
        paths = [path[1:] for path in paths]
    in_parts = _are_parts(paths)
    if not in_parts:
        _check_layout(paths)
    members = []
    for (entry, _), path in zip(entries, paths, strict=True):
        if len(path) != 1 + in_parts:
            wanted = "part/class/image, such as train/cat/1.png" if in_parts else "class/image, such as cat/1.png"
            raise DataError(f"{short(entry.filename)} is not where it should be; the archive is laid out as {wanted}")
        if not path[-1] or len(path[-1]) > 64 or not path[-1].isprintable():
            raise DataError(f"{short(entry.filename)}: a class folder has a name of 1 to 64 characters that print")
        members.append(Member(entry, PART_FOLDERS[path[0].lower()] if in_parts else "all", path[-1]))
    if in_parts and not any(member.part == "train" for member in members):
        raise DataError("the archive has parts, and none is called train; name the folders train, dev and test")
    return members


def _are_parts(paths: Sequence[Sequence[str]]) -> bool:
    """Whether the outer folders are parts: at least one has classes in it, and all are called like a part."""
    return any(len(path) > 1 for path in paths) and all(path and path[0].lower() in PART_FOLDERS for path in paths)


def _check_layout(paths: Sequence[Sequence[str]]) -> None:
    """DataError for parts that hold no classes, and for a folder beside parts that is none."""
    outer = {path[0]: max(len(other) for other in paths if other[:1] == path[:1]) for path in paths if path}
    parts = [name for name in outer if name.lower() in PART_FOLDERS]
    if parts and len(parts) == len(outer):
        raise DataError(
            f"the archive's folders {' and '.join(map(short, parts[:3]))} are parts, and hold no folders of classes; "
            "put the images of each class into a folder of its own, such as train/cat/1.png"
        )
    strangers = [name for name in outer if name not in parts]
    if any(outer[name] > 1 for name in parts) and strangers:
        raise DataError(
            f"the folder {short(strangers[0])} stands beside {short(parts[0])}, and is neither train, dev nor test; "
            "leave it out"
        )


def short(text: str) -> str:
    """A quotation short enough for a message."""
    return repr(text if len(text) <= 80 else text[:77] + "...")
