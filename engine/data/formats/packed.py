"""A table in a compressed file: gzip, or a zip archive with nothing else in it; unpacked into bounded space."""

import gzip
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from engine.data.formats.csv.csv_format import CsvFormat, TsvFormat
from engine.data.formats.json.json_format import JsonFormat
from engine.data.formats.limits import ReadLimits
from engine.data.reading.cell_values import shown
from engine.errors import DataError

GZIP_TYPES = ("application/gzip", "application/x-gzip")
ZIP_TYPES = ("application/zip",)
ENDINGS: Mapping[str, str] = {".gz": GZIP_TYPES[0]}
TABLES: Mapping[str, str] = {**CsvFormat.endings, **TsvFormat.endings, **JsonFormat.endings, ".txt": "text/csv"}
TEXTS = (*CsvFormat.media_types, *TsvFormat.media_types, *JsonFormat.media_types)

MOST_LOOKED_AT = 64  # members of an archive that may hold one table
PIECE = 1 << 20  # bytes
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_BROKEN = (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError)


@dataclass(frozen=True)
class Packed:
    """A compressed table: what kind of file it is inside, and its member's name in a zip archive."""

    media_type: str
    coding: Literal["gzip", "zip"]
    member: str = ""


def packed_table(path: Path, media_type: str) -> Packed | None:
    """What a file has inside if it is a compressed table, None where it is anything else; DataError for several."""
    with path.open("rb") as file:
        magic = file.read(4)
    if magic.startswith(_GZIP) and media_type in TEXTS:
        return Packed(media_type, "gzip")
    if media_type in GZIP_TYPES:
        if not magic.startswith(_GZIP):
            raise DataError("the file is not compressed by gzip; send it as what it is, such as Content-Type: text/csv")
        return Packed(_inside(path), "gzip")
    if magic != _ZIP or media_type not in (*ZIP_TYPES, *TEXTS):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except _BROKEN:
        return None  # whoever reads archives says so
    found = [member.filename for member in members[: MOST_LOOKED_AT + 1] if not _is_beside(member)]
    tables = [name for name in found if _ending(name) in TABLES]
    if not tables or len(tables) < len(found) or len(members) > MOST_LOOKED_AT:
        return None
    if len(tables) > 1:
        raise DataError(f"the archive holds {len(tables)} tables ({', '.join(map(shown, tables[:3]))}); send one alone")
    return Packed(TABLES[_ending(tables[0])], "zip", tables[0])


def unpack(path: Path, packed: Packed, target: Path, limits: ReadLimits) -> None:
    """Write what is packed to a new file; DataError where it is damaged, or more than the limits allow."""
    written = 0
    with target.open("xb") as file, ExitStack() as stack:
        for piece in _pieces(path, packed, stack):
            written += len(piece)
            if written > limits.max_expanded_bytes:
                raise DataError(f"the file becomes more than the {limits.max_expanded_bytes} bytes that are allowed")
            file.write(piece)


def _pieces(path: Path, packed: Packed, stack: ExitStack) -> Iterator[bytes]:
    try:
        source: gzip.GzipFile | IO[bytes]
        if packed.coding == "gzip":
            source = stack.enter_context(gzip.GzipFile(path))
        else:
            source = stack.enter_context(stack.enter_context(zipfile.ZipFile(path)).open(packed.member))
        while piece := source.read(PIECE):
            yield piece
    except _BROKEN as error:
        raise DataError(
            f"the file is damaged, or packed in a way that is not read: {str(error)[:99]}; pack it anew"
        ) from None


def _inside(path: Path) -> str:
    """Whether a file that says only that it is compressed holds JSON, by how it begins, or CSV."""
    try:
        with gzip.open(path) as source:
            begin = source.read(512).removeprefix(b"\xef\xbb\xbf").lstrip()
    except _BROKEN:
        begin = b""
    return JsonFormat.media_types[0] if begin.startswith((b"[{", b"{")) else CsvFormat.media_types[0]


def _is_beside(member: zipfile.ZipInfo) -> bool:
    """Whether a member is a folder, or what systems put beside the files."""
    path = PurePosixPath(member.filename)
    return (
        member.filename.endswith("/")
        or "__MACOSX" in path.parts
        or path.name.startswith(".")
        or path.name == "Thumbs.db"
    )


def _ending(name: str) -> str:
    return PurePosixPath(name).suffix.lower()
