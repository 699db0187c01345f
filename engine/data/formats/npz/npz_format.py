"""NumPy archives x y, or x_train y_train and x_dev y_dev, x_test y_test where they exist.

What an archive says of itself is checked in the zip directory and in each array's header before memory is
taken for rows, which are read some at a time. Nothing is unpickled or evaluated.
"""

import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from math import prod
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine.component import Component
from engine.data.column_types import AnyColumnType, BooleanType, NumberType, TensorType
from engine.data.dataset import PARTS, Dataset
from engine.data.formats.archive_member import check_member
from engine.data.formats.guess import Guess
from engine.data.formats.images.picture import holds_pictures
from engine.data.formats.images.picture_reading import PictureReading
from engine.data.formats.incoming import Block, Incoming
from engine.data.formats.limits import ReadLimits
from engine.errors import DataError

PAIRS = {f"{axis}{suffix}": (axis, part) for axis in "xy" for part, suffix in
         (("all", ""), ("train", "_train"), ("dev", "_dev"), ("test", "_test"))}  # fmt: skip
NAMES = re.compile("|".join(PAIRS))
MAX_DIRECTORY = 1 << 16  # bytes of zip directory: a thousand members
BLOCK = 1 << 22  # bytes read together of an array
SMALL_MEMBER = 1 << 20  # bytes: a member that expands to less may be compressed as well as it likes
EXACT = 2**53  # float64 holds every integer up to here
HEADER = re.compile(
    r"\{\s*'descr':\s*'([<>|=]?)([a-zA-Z])(\d{0,4})',\s*'fortran_order':\s*(True|False),"
    r"\s*'shape':\s*\(((?:\d{1,18},\s*)*(?:\d{1,18})?)\),?\s*\}\s*"
)
DTYPES = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"}
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    UnicodeError,
    ValueError,
)


Values = NDArray[Any]


class Header(NamedTuple):
    """What an array says of itself."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    by_columns: bool  # in Fortran's order: the first axis varies fastest

    @property
    def stride(self) -> int:
        """Bytes of a row."""
        return prod(self.shape[1:]) * self.dtype.itemsize


class NpzFormat(Component):
    """x: one row an example, of any shape; y: one label, or one row of values, an example.

    Rows of y that have exactly one 1, and zeros beside it, are one-hot: such a row is the number of its class.
    """

    type: Literal["npz"] = Field("npz", description="A NumPy archive with x and y, or x_train and y_train.")
    media_types: ClassVar[tuple[str, ...]] = ("application/x-npz",)
    endings: ClassVar[Mapping[str, str]] = {".npz": "application/x-npz"}
    one_hot: bool | None = Field(
        None,
        description="whether a row of y is one-hot, and so a class; without it, where every row has exactly one 1 and "
        "zeros beside it",
    )

    def read(self, path: Path, limits: ReadLimits | None = None) -> Dataset:
        """Tables of the columns "x" and "label"; DataError names the array that cannot be used, and why."""
        return Dataset({part: table.table() for part, table in self.incoming(path, limits).items()})

    def incoming(self, path: Path, limits: ReadLimits | None = None) -> dict[str, Incoming]:
        """What `read` would return, block by block; what is wrong with values shows when they are read."""
        limits = limits or ReadLimits()
        with _opened(path, limits, NAMES, ", ".join(PAIRS)) as (archive, members):
            headers = {}
            for name, member in members.items():
                with archive.open(member) as file:
                    headers[name] = _header(name, file, member.file_size, limits)
        paired = _paired(headers)
        classes = self._is_one_hot(path, limits, [y for _, y in paired.values()])
        tables = {part: _incoming(path, limits, x, y, classes) for part, (x, y) in paired.items()}
        if not classes or self.one_hot:
            return tables
        last = next(iter(paired.values()))[1].shape[1] - 1
        guess = Guess.of(
            "kind of labels",
            f"every row of y has exactly one 1, and zeros beside it: such rows are read as the classes 0 to {last}; if "
            f"they are {last + 1} labels of yes and no, upload with one_hot=false",
            "one_hot=false",
        )
        return {part: replace(table, guesses=(guess,)) for part, table in tables.items()}

    def _is_one_hot(self, path: Path, limits: ReadLimits, ys: Sequence[Header]) -> bool:
        """Whether the rows of y are classes; DataError where they are to be and one is none."""
        if self.one_hot is False or (self.one_hot is None and not _lean(ys[0])):
            return False
        strange = next(filter(None, (_not_one_hot(path, limits, y) for y in ys)), None)
        if strange and self.one_hot:
            raise DataError(f"{strange}; leave one_hot out, or send one-hot rows")
        return strange is None


def read_arrays(path: Path, limits: ReadLimits, names: re.Pattern[str], wanted: str) -> dict[str, Values]:
    """The arrays of any archive whose members match the names; wanted says in an error which those are.

    A scalar comes as an array of one value.
    """
    with _opened(path, limits, names, wanted) as (archive, members):
        arrays = {}
        for name, member in members.items():
            with archive.open(member) as file:
                header = _header(name, file, member.file_size, limits, scalars=True)
                arrays[name] = np.concatenate(list(_rows(file, header, path.parent, BLOCK)))
    return arrays


@contextmanager
def _opened(
    path: Path, limits: ReadLimits, names: re.Pattern[str], wanted: str
) -> Iterator[tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]]:
    """The archive and its members by the array's name; DataError where it is damaged or holds something else."""
    _check_tail(path)
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive, _members(archive, path.stat().st_size, limits, names, wanted)
    except BROKEN as error:
        raise DataError(f"the archive is damaged: {str(error)[:100]}; write it with numpy.savez") from None


def _check_tail(path: Path) -> None:
    """Refuse what is no plain zip file, or has a directory that would fill memory when it is listed."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(size - 98, 0))
        tail = file.read(98)
    end = tail[-22:]
    if len(end) < 22 or end[:4] != b"PK\5\6" or end[-2:] != b"\0\0":
        raise DataError("the file is no NPZ archive; write it with numpy.savez")
    directory = int.from_bytes(end[12:16], "little")
    if tail[-42:-38] == b"PK\6\7":  # beyond 4 GB, another record says how long the directory is
        directory = int.from_bytes(tail[40:48], "little") if tail[:4] == b"PK\6\6" else MAX_DIRECTORY + 1
    if directory > MAX_DIRECTORY:
        raise DataError(f"the archive's directory is longer than {MAX_DIRECTORY} bytes; store x and y only")


def _members(
    archive: zipfile.ZipFile, size: int, limits: ReadLimits, names: re.Pattern[str], wanted: str
) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    entries = archive.infolist()
    if len(entries) > limits.max_members:
        raise DataError(f"the archive has {len(entries)} members; at most {limits.max_members} are allowed")
    total = sum(entry.file_size for entry in entries)
    if total > limits.max_expanded_bytes:
        raise DataError(f"the archive expands to {total} bytes; at most {limits.max_expanded_bytes} are allowed")
    for entry in entries:
        name = entry.filename.removesuffix(".npy")
        if not names.fullmatch(name) or name == entry.filename:
            raise DataError(f"the archive holds {entry.filename[:80]!r}; the arrays are named {wanted}")
        if name in members:
            raise DataError(f"the archive holds {name!r} twice")
        check_member(
            entry,
            repr(name),
            small=SMALL_MEMBER,
            max_ratio=limits.max_ratio,
            open_it="write the archive with numpy.savez",
            store_it="store it uncompressed with numpy.savez",
        )
        if not 0 <= entry.header_offset < size:
            raise DataError(f"the archive is damaged: {name!r} lies outside of it; write it with numpy.savez")
        members[name] = entry
    return members


def _header(name: str, file: IO[bytes], size: int, limits: ReadLimits, *, scalars: bool = False) -> Header:
    """The header of a .npy file, which leaves the file where the values begin."""
    start = file.read(8)
    if start[:6] != b"\x93NUMPY" or len(start) < 8 or start[6] not in (1, 2, 3):
        raise DataError(f"{name!r} is no .npy array of version 1 to 3")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(file.read(width), "little")
    if length > MAX_DIRECTORY:
        raise DataError(f"{name!r} has a header of {length} bytes; at most {MAX_DIRECTORY} are read")
    header = HEADER.fullmatch(file.read(length).decode("latin-1"))
    if header is None or header[2] + header[3] not in DTYPES:
        raise DataError(f"{name!r} is no array of plain numbers; save it as float64, float32, an integer or bool")
    dtype = np.dtype(header[1] + header[2] + header[3])
    shape = tuple(int(extent) for extent in re.findall(r"\d+", header[5]))
    if prod(shape) * dtype.itemsize != size - 8 - width - length:
        raise DataError(f"{name!r} claims the shape {_short(shape)}, which is not what the file holds")
    shape = shape or (1,) * scalars
    if not 1 <= len(shape) <= 4 or 0 in shape:
        raise DataError(f"{name!r} has the shape {_short(shape)}; it needs one to four axes and a row at least")
    if shape[0] > limits.max_rows or prod(shape[1:]) > limits.max_features:
        raise DataError(
            f"{name!r} has {shape[0]} rows of {prod(shape[1:])} values; at most {limits.max_rows} rows of "
            f"{limits.max_features} are allowed"
        )
    return Header(name, dtype, shape, header[4] == "True" and len(shape) > 1)


def _rows(file: IO[bytes], header: Header, folder: Path, size: int) -> Iterator[Values]:
    """The array behind a header, about so many bytes at a time, of a plain number type in this machine's order."""
    step = max(1, size // header.stride)
    pieces = _by_columns(file, header, folder, step) if header.by_columns else _by_rows(file, header, step)
    start = 0
    for piece in pieces:
        if header.dtype.kind == "b":
            piece = piece.view(np.uint8) != 0  # a byte other than 0 and 1 is no bool that NumPy can count with
        elif not header.dtype.isnative:
            piece = piece.astype(header.dtype.newbyteorder("="))
        _check_values(header.name, piece, start)
        start += len(piece)
        yield piece


def _by_rows(file: IO[bytes], header: Header, step: int) -> Iterator[Values]:
    rows = header.shape[0]
    for start in range(0, rows, step):
        piece = np.empty((min(step, rows - start), *header.shape[1:]), header.dtype)
        _fill(header, file, piece, start * header.stride)
        yield piece
    file.read(1)  # the end of the member is where zipfile compares the checksum


def _by_columns(file: IO[bytes], header: Header, folder: Path, step: int) -> Iterator[Values]:
    """Rows out of an array in Fortran's order: its columns go to a scratch file, and a piece of each comes back."""
    rows, columns, size = header.shape[0], prod(header.shape[1:]), header.dtype.itemsize
    with TemporaryFile(dir=folder) as scratch:
        flat = header._replace(shape=(rows * columns,))
        for piece in _by_rows(file, flat, BLOCK // size):
            scratch.write(piece.view(np.uint8).data)
        scratch.flush()
        for start in range(0, rows, step):
            count = min(step, rows - start)
            across = np.empty((columns, count), header.dtype)
            for column in range(columns):
                view = memoryview(across[column].view(np.uint8))
                os.preadv(scratch.fileno(), [view], (column * rows + start) * size)
            yield np.ascontiguousarray(across.reshape(*header.shape[:0:-1], count).T)


def _fill(header: Header, file: IO[bytes], piece: Values, done: int) -> None:
    view, filled = piece.reshape(-1).view(np.uint8), 0
    while filled < view.size:
        read = file.read(min(view.size - filled, 1 << 20))
        if not read:
            raise DataError(f"{header.name!r} ends after {done + filled} of {header.stride * header.shape[0]} bytes")
        view[filled : filled + len(read)] = np.frombuffer(read, np.uint8)
        filled += len(read)


def _check_values(name: str, rows: Values, start: int) -> None:
    flat = rows.reshape(len(rows), -1)
    bad = ~np.isfinite(flat) if flat.dtype.kind == "f" else _beyond(flat)
    if bad.any():
        row, place = np.argwhere(bad)[0]
        raise DataError(
            f"{name!r} holds {flat[row, place].item()} in row {start + row}, counted from 0; every value "
            "must be finite, and no integer beyond ±2⁵³"
        )


def _beyond(rows: Values) -> NDArray[np.bool_]:
    if rows.dtype.itemsize < 8:
        return np.zeros(1, bool)
    return np.asarray((rows > EXACT) | (rows < -EXACT))


def _paired(headers: dict[str, Header]) -> dict[str, tuple[Header, Header]]:
    """The x and the y of every part, in the order of the parts; DataError where they do not go together."""
    tables: dict[str, dict[str, Header]] = {}
    for name, header in headers.items():
        axis, part = PAIRS[name]
        tables.setdefault(part, {})[axis] = header
    for part, pair in tables.items():
        suffix = "" if part == "all" else f"_{part}"
        if len(pair) < 2:
            raise DataError(f"{next(iter(pair))}{suffix} has no partner; every x needs its y, and every y its x")
        x, y = pair["x"].shape, pair["y"].shape
        if x[0] != y[0] or len(y) > 2:
            raise DataError(f"y{suffix} has the shape {y}; x{suffix} has {x[0]} rows, each needs one of y")
    if not tables or ("all" in tables) == ("train" in tables):
        raise DataError(
            f"the archive holds {sorted(headers) or 'nothing'}; it needs either x and y or x_train, y_train"
        )
    if "all" in tables and len(tables) > 1:
        raise DataError("the archive holds x and y as well as parts; name the arrays to learn from x_train, y_train")
    first = "all" if "all" in tables else "train"
    if tables[first]["x"].shape[0] < 2:
        raise DataError("the archive has one row to learn from; a dataset needs at least two")
    for part, pair in tables.items():
        if (shapes := {n: _lean(h) for n, h in pair.items()}) != {n: _lean(h) for n, h in tables[first].items()}:
            raise DataError(f"all parts have the same columns: {part!r} has rows of shape {shapes['x']}")
    order = ("all",) if first == "all" else tuple(part for part in PARTS if part in tables)
    return {part: (tables[part]["x"], tables[part]["y"]) for part in order}


def _incoming(path: Path, limits: ReadLimits, x: Header, y: Header, classes: bool) -> Incoming:
    columns = {"x": x, "label": y}
    types = {name: _type_of(header) for name, header in columns.items()}
    dtypes = {name: header.dtype.newbyteorder("=") for name, header in columns.items()}
    dtypes |= {name: np.dtype(np.float64) for name, kind in types.items() if isinstance(kind, BooleanType)}
    shapes = {name: _lean(header) for name, header in columns.items()}
    if classes:
        types["label"], dtypes["label"], shapes["label"] = NumberType(classes=True), np.dtype(np.int32), ()
    return Incoming(
        rows=x.shape[0],
        types=types,
        dtypes=dtypes,
        shapes=shapes,
        blocks=partial(_blocks, path, limits, columns, classes),
    )


def _type_of(header: Header) -> AnyColumnType:
    booleans, shape = header.dtype.kind == "b", _lean(header)
    if not shape:
        return BooleanType() if booleans else NumberType()
    return TensorType(picture=PictureReading() if holds_pictures(shape, header.dtype) else None, booleans=booleans)


def _blocks(path: Path, limits: ReadLimits, columns: dict[str, Header], classes: bool) -> Iterator[Block]:
    """The same rows of x and y, read side by side."""
    size = max(1, BLOCK // max(header.stride for header in columns.values()))
    with _opened(path, limits, NAMES, ", ".join(PAIRS)) as (archive, members), ExitStack() as stack:
        readers = {}
        for name, header in columns.items():
            member = members[header.name]
            file = stack.enter_context(archive.open(member))
            _header(header.name, file, member.file_size, limits)
            readers[name] = _rows(file, header, path.parent, size * header.stride)
        for pieces in zip(*readers.values(), strict=True):
            block: dict[str, Values] = {
                name: piece.reshape(len(piece), *_lean(columns[name]))
                for name, piece in zip(columns, pieces, strict=True)
            }
            if classes:
                block["label"] = block["label"].argmax(axis=1).astype(np.int32)
            yield block


def _not_one_hot(path: Path, limits: ReadLimits, y: Header) -> str:
    """What is wrong with the first row of y that is not one-hot; empty where all are."""
    if not _lean(y):
        return f"{y.name!r} has one value a row, and one-hot rows have one for each class"
    with _opened(path, limits, NAMES, ", ".join(PAIRS)) as (archive, members), archive.open(members[y.name]) as file:
        _header(y.name, file, members[y.name].file_size, limits)
        start = 0
        for rows in _rows(file, y, path.parent, BLOCK):
            filled = np.count_nonzero(rows, axis=1)
            strange = np.flatnonzero((filled != 1) | (np.count_nonzero(rows == 1, axis=1) != 1))
            if strange.size:
                return (
                    f"{y.name!r} is not one 1 and zeros beside it in row {start + strange[0]}, counted from 0, but "
                    f"{', '.join(map(str, rows[strange[0], :8].tolist()))}{', …' if rows.shape[1] > 8 else ''}"
                )
            start += len(rows)
    return ""


def _lean(header: Header) -> tuple[int, ...]:
    """The shape of a row; one number a row is a plain column."""
    return () if header.shape[1:] == (1,) else header.shape[1:]


def _short(shape: tuple[int, ...]) -> str:
    text = str(shape)
    return text if len(text) <= 80 else text[:80] + "…"
