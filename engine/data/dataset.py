"""What an upload or a sample set becomes: one table, or the parts train, dev and test that it came with."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.data.formats.incoming import Incoming
from engine.data.storage.stored import load, store
from engine.data.summary import first_rows, summarize
from engine.data.table import Table, stacked
from engine.errors import DataError

PARTS = ("train", "dev", "test")
PREVIEW_ROWS = 10


@dataclass(frozen=True)
class Dataset:
    """Tables of the same columns: {"all": t}, or {"train": t} with "dev" and "test" where they are given."""

    parts: Mapping[str, Table]

    def __post_init__(self) -> None:
        if set(self.parts) != {"all"} and not {"train"} <= set(self.parts) <= set(PARTS):
            raise DataError(f"a dataset is 'all', or 'train' with 'dev' and 'test', not {sorted(self.parts)}")
        for part, table in self.parts.items():
            if table.shapes != self.training.shapes:
                raise DataError(
                    f"all parts have the same columns: {part!r} has {table.shapes}, not {self.training.shapes}"
                )
            if table.types != self.training.types:
                raise DataError(f"all parts have the same types of columns, but those of {part!r} differ")

    @property
    def given(self) -> bool:
        """Whether the dataset came with its own parts."""
        return "train" in self.parts

    @property
    def training(self) -> Table:
        """The part to learn from: "train", or all rows."""
        return self.parts["train"] if self.given else self.parts["all"]

    @property
    def pooled(self) -> Table:
        """The rows of all parts."""
        return stacked(list(self.parts.values()))

    def save(self, path: Path) -> None:
        """Write one safetensors file, as `store` lays it out."""
        store(path, {part: Incoming.of(table) for part, table in self.parts.items()})

    @classmethod
    def load(cls, path: Path) -> "Dataset":
        """Open a file that `save` wrote: rows are read when they are used, unless it is small."""
        return cls(load(path))

    def sha256(self) -> str:
        """The content's hash: names, types, shapes and values in order, whatever file they came from."""
        digest = hashlib.sha256()
        for part, table in self.parts.items():
            for name, column in table.columns.items():
                dtype = column.dtype.newbyteorder("<")
                held = table.types[name].model_dump(mode="json")
                digest.update(json.dumps([part, name, held, dtype.str, column.shape]).encode())
                for block in table.blocks([name]):
                    digest.update(np.ascontiguousarray(block.columns[name], dtype).reshape(-1).view(np.uint8).data)
        return digest.hexdigest()

    def summary(self) -> dict[str, Any]:
        """Rows per part and what every column holds over all parts, fit for JSON."""
        return summarize(self.parts)

    def preview(self, limit: int = PREVIEW_ROWS) -> dict[str, Any]:
        """The first rows to learn from, as objects keyed by column."""
        return first_rows(self.training, limit)
