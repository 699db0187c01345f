"""The process that decodes a Parquet file: `python parquet_reading.py FILE` writes its rows to standard output.

A frame is a line of JSON and, behind it, the columns of numbers as float64, one after the other. The first frame
names the columns; the last one is null; a frame may say why the file is refused.
"""

import json
import resource
import sys
from typing import Any

import numpy as np
from arro3.core import DataType, Field
from arro3.io import read_parquet

MEMORY = 1 << 30  # bytes of address space beyond what the libraries take
VALUES = 1 << 15  # of a batch
TEXTS = 1 << 26  # bytes, in the rows of a batch


def main(path: str) -> None:
    """Write the frames of a file; the process has no more memory than MEMORY for it."""
    bound_memory()
    try:
        schema = read_parquet(path, batch_size=1).schema
        fields = [schema.field(place) for place in range(len(schema.names))]
        kinds = [_kind(field) for field in fields]
        _write({"names": [field.name for field in fields], "kinds": kinds})
        reader = read_parquet(path, batch_size=max(1, VALUES // max(1, len(fields))))
        for batch in reader:
            pairs = list(zip(kinds, batch.columns, strict=True))
            words = [column.cast(DataType.string()) for kind, column in pairs if kind == "words"]
            if sum(column.nbytes for column in words) > TEXTS:
                raise Refused(
                    f"{batch.num_rows} rows hold more than {TEXTS >> 20} MB of text; leave out the long texts"
                )
            _write({"rows": batch.num_rows, "words": [column.to_pylist() for column in words]})
            for kind, column in pairs:
                if kind != "words":
                    sys.stdout.buffer.write(_numbers(column))
        _write(None)
    except Refused as refused:
        _write({"refused": str(refused)})


def bound_memory() -> None:
    """Allow MEMORY beyond what is held; on Linux only, as macOS neither says what is held nor heeds a bound."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
    except FileNotFoundError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))


class Refused(Exception):
    """A column is of a type that no network takes."""


def _kind(field: Field) -> str:
    held = field.type
    if DataType.is_dictionary(held) and held.value_type is not None:
        held = held.value_type
    if DataType.is_boolean(held):
        return "boolean"
    if DataType.is_numeric(held) or DataType.is_decimal(held) or DataType.is_null(held):
        return "number"
    words = (DataType.is_string, DataType.is_large_string, DataType.is_string_view, DataType.is_temporal)
    if any(fits(held) for fits in words):
        return "words"
    raise Refused(
        f"column {field.name!r} is of the type {str(held)[:60]}; a column holds numbers, booleans, texts or dates: "
        "arrays, such as images, come as NPZ"
    )


def _numbers(column: Any) -> bytes:
    """float64, NaN where there is none."""
    numbers = column.cast(DataType.float64())
    if not numbers.null_count:
        return bytes(numbers.to_numpy().tobytes())
    return np.array([np.nan if value is None else value for value in numbers.to_pylist()], np.float64).tobytes()


def _write(frame: object) -> None:
    sys.stdout.buffer.write(json.dumps(frame).encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv[1])
