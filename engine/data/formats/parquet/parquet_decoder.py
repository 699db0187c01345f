"""The frames of a Parquet file, which another process writes.

Behind the line of JSON of some rows are their columns of numbers as float64, one after the other. The first frame names
the columns; one may say which of them, by their places, hold integers beyond float64.
"""

import base64
import binascii
import io
import json
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from arro3.core import DataType, Field, Schema
from arro3.io import read_ipc_stream, read_parquet

VALUES = 1 << 15  # of a batch
TEXTS = 1 << 26  # bytes, in the rows of a batch
EXACT = 2**53  # float64 holds every integer up to here
Frame = dict[str, Any] | bytes | None
KEY = b"ARROW:schema"
THRIFT_TEXT = b"\x18"  # a field behind the one before, of bytes
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def frames(path: str, *exact: str) -> Iterator[Frame]:
    """The rows of a file, frame by frame; exact are the places of integers that are to come as words."""
    try:
        yield from _frames(path, set(map(int, exact)))
    except Refused as refused:
        yield {"refused": str(refused)}


class Refused(Exception):
    """A column is of a type that no network takes."""


def _frames(path: str, exact: set[int]) -> Iterator[Frame]:
    footer, start = _footer(path)
    hidden = start + footer.find(KEY) if _needs_plain(_arrow_schema(footer)) else None
    schema: Schema = read_parquet(_opened(path, hidden), batch_size=1).schema
    index = _index_columns(schema)
    fields = [schema.field(place) for place in range(len(schema.names))]
    if hidden is not None:  # the file says less of its columns than Arrow's schema
        written = _arrow_schema(footer)
        fields = [field if written is None else written.field(field.name) for field in fields]
    kept = [place for place, field in enumerate(fields) if field.name not in index] or list(range(len(fields)))
    kinds = {place: "words" if place in exact else _kind(fields[place]) for place in kept}
    named = [name for place, name in enumerate(schema.names) if place not in kinds]
    yield {"names": [fields[place].name for place in kept], "kinds": list(kinds.values()), "index": named}
    for batch in read_parquet(_opened(path, hidden), batch_size=max(1, VALUES // max(1, len(fields)))):
        columns = {place: batch.columns[place] for place in kept}
        words = [columns[place].cast(DataType.string()) for place in kept if kinds[place] in WORDS]
        if sum(column.nbytes for column in words) > TEXTS:
            raise Refused(f"{batch.num_rows} rows hold more than {TEXTS >> 20} MB of text; leave out the long texts")
        numbers = {place: _numbers(columns[place], fields[place]) for place in kept if kinds[place] not in WORDS}
        if beyond := [place for place in numbers if _holds_beyond(columns[place], fields[place], numbers[place])]:
            yield {"beyond": beyond}
            return
        yield {"rows": batch.num_rows, "words": [column.to_pylist() for column in words]}
        for column in numbers.values():
            yield column.tobytes()
    yield None


def _index_columns(schema: Schema) -> set[str]:
    """The columns that pandas calls the index of its frame and did not name."""
    try:
        described = json.loads(schema.metadata.get(b"pandas", b"{}"))
        names = {name for name in described["index_columns"] if isinstance(name, str)}
    except (ValueError, TypeError, KeyError):
        return set()
    return {name for name in names if name.startswith("__index_level_")}


WORDS = ("words", "dates", "times")


def _kind(field: Field) -> str:
    held = _value_type(field)
    if DataType.is_boolean(held):
        return "boolean"
    if DataType.is_duration(held):
        return "durations"
    if DataType.is_numeric(held) or DataType.is_decimal(held) or DataType.is_null(held):
        return "number"
    if DataType.is_time(held):
        return "times"
    if DataType.is_temporal(held) and not DataType.is_interval(held):
        return "dates"
    if any(fits(held) for fits in (DataType.is_string, DataType.is_large_string, DataType.is_string_view)):
        return "words"
    name = str(held).strip().removeprefix("arro3.core.DataType<").removesuffix(">")
    raise Refused(
        f"column {field.name!r} is of the type {name[:60]}; a column holds numbers, booleans, texts or "
        "dates: arrays, such as images, come as NPZ"
    )


def _value_type(field: Field) -> DataType:
    held = field.type
    return held.value_type if DataType.is_dictionary(held) and held.value_type is not None else held


def _footer(path: str) -> tuple[bytes, int]:
    """What a file says of itself behind its rows, and where that begins."""
    with open(path, "rb") as file:
        end = max(0, file.seek(0, io.SEEK_END) - 8)
        file.seek(end)
        start = max(0, end - int.from_bytes(file.read(4), "little"))
        file.seek(start)
        return file.read(end - start), start


def _arrow_schema(footer: bytes) -> Schema | None:
    """The schema that Arrow has written beside Parquet's own; None where it is not found.

    A text in Thrift's compact protocol: its type, its length, seven bits a byte from the lowest, and its bytes.
    """
    found = footer.find(KEY)
    text = footer[found + len(KEY) :]
    if found < 0 or text[:1] != THRIFT_TEXT:
        return None
    length, place = 0, 0
    for place, byte in enumerate(text[1:6]):
        length |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            break
    try:
        message = base64.b64decode(text[place + 2 : place + 2 + length], validate=True)
    except binascii.Error:
        return None
    return read_ipc_stream(io.BytesIO(message)).schema


def _needs_plain(schema: Schema | None) -> bool:
    """Whether parquet-rs can read the file only without Arrow's schema (tried with arro3 0.9).

    It cannot read dictionaries of booleans and of decimals, which for Parquet itself are booleans and decimals.
    """
    fields = [] if schema is None else [schema.field(place) for place in range(len(schema.names))]
    dictionaries = [_value_type(field) for field in fields if DataType.is_dictionary(field.type)]
    return any(DataType.is_boolean(held) or DataType.is_decimal(held) for held in dictionaries)


def _opened(path: str, hidden: int | None) -> IO[bytes] | str:
    """The file; without Arrow's schema, if that is to be hidden, whose key begins there."""
    return path if hidden is None else io.BufferedReader(_WithoutArrowSchema(path, hidden))


class _WithoutArrowSchema(io.RawIOBase):
    """A Parquet file in which the key of Arrow's schema reads otherwise, so that nobody finds it."""

    def __init__(self, path: str, hidden: int) -> None:
        self._file = open(path, "rb")  # noqa: SIM115 - lives as long as the process
        self._hidden = hidden

    def readinto(self, buffer: Any) -> int:
        start = self._file.tell()
        count = self._file.readinto(buffer)
        for place, letter in enumerate(KEY.lower(), self._hidden - start):
            if 0 <= place < count:
                buffer[place] = letter
        return count

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(place, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def _numbers(column: Any, field: Field) -> Any:
    """float64, NaN where there is none; durations in seconds."""
    held = _value_type(field)
    numbers = column.cast(DataType.float64())
    if numbers.null_count:
        found = np.array([np.nan if value is None else value for value in numbers.to_pylist()], np.float64)
    else:
        found = numbers.to_numpy()
    return found / PER_SECOND[held.time_unit or "s"] if DataType.is_duration(held) else found


def _holds_beyond(column: Any, field: Field, numbers: Any) -> bool:
    """Whether some integer is beyond float64, in which other integers would become the same number."""
    held = _value_type(field)
    if not ((DataType.is_integer(held) and held.bit_width == 64) or DataType.is_decimal(held)):
        return False
    if not (np.abs(numbers) >= EXACT).any():
        return False
    texts = column.cast(DataType.string()).to_pylist()
    return any(text is not None and "." not in text and abs(int(text)) > EXACT for text in texts)
