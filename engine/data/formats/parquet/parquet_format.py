"""Parquet files, by arro3, in a process of its own whose memory has a bound.

A few bytes of Parquet may stand for gigabytes, and a decoder in Rust that gets no memory ends its process.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, ClassVar, Literal

import numpy as np
from pydantic import Field

from engine.data.column_types import AnyColumnType
from engine.data.dataset import Dataset
from engine.data.formats.csv.csv_options import MissingOption
from engine.data.formats.guess import Guess
from engine.data.formats.incoming import Incoming
from engine.data.formats.limits import ReadLimits
from engine.data.formats.reading_process import read_frame, reading
from engine.data.formats.typed_columns import Batch, Seen, TypedColumns, Values, as_moments
from engine.errors import DataError

Kind = Literal["boolean", "number", "durations", "words", "dates", "times"]
KNOWN: Mapping[Kind, Seen] = {"boolean": "boolean", "number": "number", "durations": "number"}
DECODER = Path(__file__).with_name("parquet_decoder.py")
DAMAGED = (
    "the file cannot be read as Parquet within a gigabyte of memory: it is damaged, or stands for far more than it "
    "holds; write it anew, with smaller row groups"
)


class ParquetFormat(MissingOption):
    """Columns of numbers, booleans, texts or dates, with nulls as missing values; nested columns are refused.

    Durations are seconds; integers beyond float64 are words; the index that pandas did not name is left out.
    """

    type: Literal["parquet"] = Field("parquet", description="An Apache Parquet file of flat columns.")
    media_types: ClassVar[tuple[str, ...]] = ("application/vnd.apache.parquet", "application/x-parquet")
    endings: ClassVar[Mapping[str, str]] = {".parquet": "application/vnd.apache.parquet"}

    def read(self, path: Path, limits: ReadLimits | None = None) -> Dataset:
        """One table in memory; DataError where the file or a column cannot be used."""
        return Dataset({part: table.table() for part, table in self.incoming(path, limits).items()})

    def incoming(self, path: Path, limits: ReadLimits | None = None) -> dict[str, Incoming]:
        """The table "all": its columns, and its rows block by block."""
        limits = limits or ReadLimits()
        with path.open("rb") as file:
            if file.read(4) != b"PAR1":
                raise DataError("the file is no Parquet: it does not begin with PAR1")
        columns = _ParquetColumns(path, limits)
        while True:
            try:
                incoming = TypedColumns(columns.batches, path.parent, limits, missing=self.told_missing).incoming()
            except _Inexact as inexact:
                columns.exact += inexact.places  # and from the beginning
            else:
                types = {name: columns.type_of(name, held) for name, held in incoming.types.items()}
                return {"all": replace(incoming, types=types, guesses=(*incoming.guesses, *columns.guesses()))}


class _ParquetColumns:
    """The columns of a file: what each holds, as its schema has it, and its values batch by batch."""

    def __init__(self, path: Path, limits: ReadLimits) -> None:
        self._path, self._limits = path, limits
        self.exact: tuple[int, ...] = ()  # places of integers that are read as words
        self.kinds: Mapping[str, Kind] = {}
        self.index: tuple[str, ...] = ()  # columns that are left out

    def batches(self) -> Iterator[Batch]:
        with reading(DECODER, self._path, map(str, self.exact), DAMAGED) as frames:
            header = read_frame(frames, DAMAGED)
            if header is None or not header["names"]:
                raise DataError("the file holds no columns; a Parquet dataset has at least one")
            names, kinds = header["names"], header["kinds"]
            if len(names) > self._limits.max_features:
                raise DataError(f"the file has {len(names)} columns; at most {self._limits.max_features} are allowed")
            if len(set(names)) < len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise DataError(f"two columns are named {twice[:40]!r}; give every column a name of its own")
            self.kinds, self.index = dict(zip(names, kinds, strict=True)), tuple(header["index"])
            known = {name: KNOWN[kind] for name, kind in self.kinds.items() if kind in KNOWN}
            yield Batch(1, 0, dict.fromkeys(names, ()), known)
            first = 1
            while (frame := read_frame(frames, DAMAGED)) is not None:
                if beyond := frame.get("beyond"):
                    raise _Inexact(tuple(beyond))
                words = iter(frame["words"])
                columns: dict[str, Values] = {
                    name: _floats(frames, frame["rows"]) if kind in KNOWN else next(words)
                    for name, kind in self.kinds.items()
                }
                yield Batch(first, frame["rows"], columns)
                first += frame["rows"]

    def type_of(self, name: str, held: AnyColumnType) -> AnyColumnType:
        """Dates and times of day are such, however few they are."""
        kind = self.kinds[name]
        return as_moments(held, kind) if kind == "dates" or kind == "times" else held

    def guesses(self) -> Iterator[Guess]:
        """What the schema does not say in the words of a network."""
        for name in self.index:
            yield Guess.of(
                "index",
                f"{name!r} is the index of a pandas frame, and left out; frame.reset_index() makes it a column that is "
                "kept, to_parquet(index=False) leaves it away",
            )
        for name, kind in self.kinds.items():
            if kind == "durations":
                yield Guess.of("unit", f"column {name!r} holds durations; they are read as numbers of seconds")


class _Inexact(Exception):
    """Columns of integers, by their places, hold some beyond float64, and are to be read as words."""

    def __init__(self, places: tuple[int, ...]) -> None:
        self.places = places


def _floats(frames: IO[bytes], rows: int) -> Values:
    raw = frames.read(8 * rows)
    if len(raw) < 8 * rows:
        raise DataError(DAMAGED)
    return np.frombuffer(raw, np.float64)
