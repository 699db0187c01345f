"""The one file of a dataset: written a few rows at a time, read a few rows at a time.

A safetensors file. The columns of numbers of one part that share a dtype are the columns of one row-major tensor,
so that a row lies in one place; an array a row is a tensor of its own. The metadata says which column is where,
and its type.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.column_types import COLUMN_TYPES
from engine.data.formats.incoming import Block, Incoming, MatrixBlock
from engine.data.storage.stored_columns import BlockColumn, FileBlock, RowFile
from engine.data.storage.tensor_file import Place, layout, read_layout
from engine.data.table import Table
from engine.errors import DataError

SMALL = 4 << 20  # bytes of a file that is simply read
Where = tuple[str, str, int | None]  # a column, its tensor, its place among the tensor's columns


def store(path: Path, incoming: Mapping[str, Incoming]) -> None:
    """Write what comes in, part by part, to a new file; no more than one block of rows is in memory."""
    columns = {part: _columns(part, table) for part, table in incoming.items()}
    first = next(iter(incoming.values()))
    document = {
        "columns": columns,
        "types": {
            name: {"kind": held.kind, **held.model_dump(mode="json", exclude_defaults=True)}
            for name, held in first.types.items()
        },
    }
    tensors = {t: shape for part, table in incoming.items() for t, shape in _tensors(table, columns[part]).items()}
    head, places = layout(tensors, {"dataset": json.dumps(document)})
    with path.open("wb", buffering=0) as file:
        _write(file.fileno(), memoryview(head), 0)
        for part, table in incoming.items():
            _write_part(file.fileno(), table, columns[part], places)


def load(path: Path) -> dict[str, Table]:
    """The parts of a stored dataset; the columns of all but a small one are read when they are used."""
    places, metadata = read_layout(path)
    if "dataset" not in metadata:
        raise DataError(f"{path.name} is no stored dataset")
    document = json.loads(metadata["dataset"])
    types = COLUMN_TYPES.validate_python(document["types"])
    file = RowFile(path)
    blocks = {name: FileBlock(file, *place) for name, place in places.items()}
    parts = {
        part: Table({name: BlockColumn(blocks[tensor], place) for name, tensor, place in columns}, types)
        for part, columns in document["columns"].items()
    }
    if path.stat().st_size <= SMALL:
        return {part: table.read() for part, table in parts.items()}
    return parts


def _columns(part: str, table: Incoming) -> list[Where]:
    """Where every column goes, in the table's order."""
    alike: dict[np.dtype[Any], list[str]] = {}
    for name, shape in table.shapes.items():
        if not shape:
            alike.setdefault(table.dtypes[name], []).append(name)
    places = {name: place for names in alike.values() for place, name in enumerate(names)}
    found: list[Where] = []
    for name, shape in table.shapes.items():
        dtype = table.dtypes[name]
        shares = not shape and len(alike[dtype]) > 1
        found.append((name, f"{part}:{dtype.name}", places[name]) if shares else (name, f"{part}/{name}", None))
    return found


def _tensors(table: Incoming, columns: list[Where]) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    """Dtype and shape of every tensor of a part."""
    found: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {}
    for name, tensor, place in columns:  # the last of those that share a tensor says how many they are
        width = () if place is None else (place + 1,)
        found[tensor] = (table.dtypes[name], (table.rows, *table.shapes[name], *width))
    return found


def _write_part(file: int, table: Incoming, columns: list[Where], places: Mapping[str, Place]) -> None:
    """The rows of a part, every block of them into each tensor."""
    done = 0
    together: dict[str, list[str]] = {}
    for name, tensor, _ in columns:
        together.setdefault(tensor, []).append(name)
    for block in table.blocks():
        rows = len(next(iter(block.values())))
        if done + rows > table.rows:
            raise DataError(f"the file changed while it was read: it has more than {table.rows} rows")
        for tensor, names in together.items():
            place = places[tensor]
            stride = place.dtype.itemsize * int(np.prod(place.shape[1:], dtype=np.int64))
            values = _joined(block, names, place.dtype)
            _write(file, values.reshape(-1).view(np.uint8).data, place.offset + done * stride)
        done += rows
    if done != table.rows:
        raise DataError(f"the file changed while it was read: it has {done} rows, not {table.rows}")


def _joined(block: Block, names: list[str], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The block's values of some columns, row by row, contiguous."""
    if isinstance(block, MatrixBlock) and block.matrix.dtype == dtype and list(block.places) == names:
        return np.ascontiguousarray(block.matrix)
    if len(names) == 1:
        return np.ascontiguousarray(block[names[0]], dtype)
    joined = np.empty((len(block[names[0]]), len(names)), dtype)
    for place, name in enumerate(names):
        joined[:, place] = block[name]
    return joined


def _write(file: int, view: memoryview, offset: int) -> None:
    while view:  # a full disk takes part of a piece before it refuses the rest
        count = os.pwrite(file, view, offset)
        view, offset = view[count:], offset + count
