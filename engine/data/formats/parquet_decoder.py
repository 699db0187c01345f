"""The frames of a Parquet file, which another process writes.

Behind the line of JSON of some rows are their columns of numbers as float64, one after the other. The first frame names
the columns; one may say which of them, by their places, hold integers beyond float64.
"""

import io
import json
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from arro3.core import DataType, Field, Schema
from arro3.io import read_parquet

VALUES = 1 << 15  # of a batch
TEXTS = 1 << 26  # bytes, in the rows of a batch
EXACT = 2**53  # float64 holds every integer up to here
Frame = dict[str, Any] | bytes | None
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
    schema: Schema = read_parquet(path, batch_size=1).schema
    index = _index_columns(schema)
    fields = [schema.field(place) for place in range(len(schema.names))]
    kept = [place for place, field in enumerate(fields) if field.name not in index] or list(range(len(fields)))
    kinds = {place: "words" if place in exact else _kind(fields[place]) for place in kept}
    named = [name for place, name in enumerate(schema.names) if place not in kinds]
    yield {"names": [fields[place].name for place in kept], "kinds": list(kinds.values()), "index": named}
    for batch in read_parquet(_opened(path, fields), batch_size=max(1, VALUES // max(1, len(fields)))):
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


def _opened(path: str, fields: list[Field]) -> IO[bytes] | str:
    """The file, without Arrow's own schema where parquet-rs cannot read it by that (tried with arro3 0.9).

    It cannot read dictionaries of booleans and of decimals, which for Parquet itself are booleans and decimals.
    """
    dictionaries = [_value_type(field) for field in fields if DataType.is_dictionary(field.type)]
    if any(DataType.is_boolean(held) or DataType.is_decimal(held) for held in dictionaries):
        return io.BufferedReader(_WithoutArrowSchema(path))
    return path


class _WithoutArrowSchema(io.RawIOBase):
    """A Parquet file in which the key of Arrow's schema reads otherwise, so that nobody finds it."""

    KEY = b"ARROW:schema"

    def __init__(self, path: str) -> None:
        self._file = open(path, "rb")  # noqa: SIM115 - lives as long as the process
        size = self._file.seek(-8, io.SEEK_END)
        footer = max(0, size - int.from_bytes(self._file.read(4), "little"))
        self._file.seek(footer)
        found = self._file.read(size - footer).find(self.KEY)
        self._hidden = footer + found if found >= 0 else -len(self.KEY)
        self._file.seek(0)

    def readinto(self, buffer: Any) -> int:
        start = self._file.tell()
        count = self._file.readinto(buffer)
        for place, letter in enumerate(self.KEY.lower(), self._hidden - start):
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
