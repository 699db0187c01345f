"""Parquet files, by arro3, in a process of its own whose memory has a bound.

A few bytes of Parquet may stand for gigabytes, and a decoder in Rust that gets no memory ends its process.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from engine.component import Component
from engine.data.dataset import Dataset
from engine.data.formats.csv_format import check_names
from engine.data.formats.incoming import Incoming
from engine.data.formats.intake import Intake
from engine.data.formats.limits import ReadLimits
from engine.data.formats.words import Words
from engine.errors import DataError


class ParquetFormat(Component):
    """Columns of numbers, booleans, texts or dates, with nulls as missing values; nested columns are refused."""

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
        with _reading(path) as frames:
            header = _frame(frames)
            if header is None:
                raise DataError("the file holds no columns; a Parquet dataset has at least one")
            names, kinds = header["names"], header["kinds"]
            if len(names) > limits.max_features:
                raise DataError(f"the file has {len(names)} columns; at most {limits.max_features} are allowed")
            check_names(names)
            words = {column: Words() for column, kind in enumerate(kinds) if kind == "words"}
            booleans = [column for column, kind in enumerate(kinds) if kind == "boolean"]
            intake = Intake(names, words, path.parent, limits, booleans)
            while (frame := _frame(frames)) is not None:
                count = frame["rows"] * len(intake.numbers)
                raw = frames.read(8 * count)
                if len(raw) < 8 * count:
                    raise _failure()
                numbers = np.frombuffer(raw, np.float64).reshape(len(intake.numbers), frame["rows"]).T
                if np.isinf(numbers).any():
                    column = intake.numbers[int(np.flatnonzero(np.isinf(numbers).any(axis=0))[0])]
                    raise DataError(f"column {names[column]!r} holds infinity; every number must be finite")
                pairs = zip(words.values(), frame["words"], strict=True)
                intake.add(numbers, [found.codes(text or "" for text in texts) for found, texts in pairs])
        return {"all": intake.incoming()}


@contextmanager
def _reading(path: Path) -> Iterator[IO[bytes]]:
    """What the reading process writes; it is ended when nobody reads on."""
    command = [sys.executable, "-I", str(Path(__file__).with_name("parquet_reading.py")), str(path.resolve())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - ours
        try:
            if process.stdout is not None:
                yield process.stdout
        finally:
            process.kill()


def _frame(frames: IO[bytes]) -> dict[str, Any] | None:
    line = frames.readline()
    if not line:
        raise _failure()
    frame: dict[str, Any] | None = json.loads(line)
    if frame is not None and "refused" in frame:
        raise DataError(str(frame["refused"]))
    return frame


def _failure() -> DataError:
    return DataError(
        "the file cannot be read as Parquet within a gigabyte of memory: it is damaged, or stands for far more than it "
        "holds; write it anew, with smaller row groups"
    )
