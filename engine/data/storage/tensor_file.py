"""Named arrays in one safetensors file, written array by array or a few rows at a time.

The layout: eight bytes with the header's length, the header in JSON, the arrays. The safetensors package
would copy all arrays both ways, and does not promise the same bytes for the same content.
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError

DTYPES = {
    "BOOL": "?", "U8": "<u1", "I8": "<i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4",
    "U64": "<u8", "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip
NAMES = {np.dtype(dtype): name for name, dtype in DTYPES.items()}


LONGEST = 100_000_000  # bytes of a header, as safetensors itself has it


class Place(NamedTuple):
    """Where an array lies in its file."""

    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


def layout(
    tensors: Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]], metadata: Mapping[str, str]
) -> tuple[bytes, dict[str, Place]]:
    """The head of a file of such arrays, and where each of them begins; what lies between is to be written."""
    # Wide types first: then every array begins at a multiple of its item's size.
    ordered = sorted(tensors.items(), key=lambda item: -item[1][0].itemsize)
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name, (dtype, shape) in ordered:
        begin, end = end, end + int(np.prod(shape, dtype=object)) * dtype.itemsize
        header[name] = {"dtype": NAMES[dtype.newbyteorder("<")], "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    head = struct.pack("<Q", len(text)) + text
    return head, {
        name: Place(len(head) + header[name]["data_offsets"][0], dtype.newbyteorder("<"), shape)
        for name, (dtype, shape) in ordered
    }


def write_tensors(path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write the arrays to a new file; equal arrays and metadata give equal bytes."""
    head, places = layout({name: (tensor.dtype, tensor.shape) for name, tensor in tensors.items()}, metadata)
    with path.open("wb") as file:
        file.write(head)
        for name, place in places.items():
            file.write(np.ascontiguousarray(tensors[name], place.dtype).reshape(-1).view(np.uint8).data)


def read_layout(path: Path) -> tuple[dict[str, Place], dict[str, str]]:
    """Where each array of a file lies, and the metadata; DataError where the file says neither."""
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > LONGEST:
            raise DataError(f"{path.name} is no file of stored arrays")
        header = json.loads(file.read(length))
    metadata: dict[str, str] = header.pop("__metadata__", {})
    return {
        name: Place(8 + length + entry["data_offsets"][0], np.dtype(DTYPES[entry["dtype"]]), tuple(entry["shape"]))
        for name, entry in header.items()
    }, metadata


def map_tensors(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """The arrays as read-only views of the mapped file, and the metadata."""
    places, metadata = read_layout(path)
    data = np.memmap(path, np.uint8, "r").view(np.ndarray)
    return {
        name: data[place.offset :][: int(np.prod(place.shape)) * place.dtype.itemsize]
        .view(place.dtype)
        .reshape(place.shape)
        for name, place in places.items()
    }, metadata
