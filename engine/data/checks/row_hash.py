"""One 64-bit number a row, the same wherever the same values lie: equal rows meet, others practically never do.

Of 10⁷ different rows, two share a number with a chance of 3 in a million.
"""

from collections.abc import Mapping
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from engine.data.column_types import CategoryType, TextType
from engine.data.table import Table

Words = NDArray[np.uint64]
FIRST, SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)  # odd, as in SplitMix64
HALF = np.uint64(32)


class RowHash:
    """Hashes of rows over some columns; categories count by their labels, numbers by their values."""

    def __init__(self, tables: list[Table], names: list[str]) -> None:
        self._names = names
        self._bytes = {name for name in names if all(table.columns[name].dtype == np.uint8 for table in tables)}
        self._labels: dict[tuple[str, ...], Words] = {}
        generator = np.random.default_rng(0)
        self._factors: Mapping[str, Words] = {
            name: generator.integers(0, 2**64, self._width(tables[0], name), np.uint64) | np.uint64(1) for name in names
        }

    def of(self, block: Table) -> Words:
        """A number for every row of a table in memory."""
        total = np.zeros(block.rows, np.uint64)
        block = block.plain()
        for name in self._names:
            words = self._words(block, name)
            words ^= words >> HALF
            words *= FIRST
            words ^= words >> HALF
            words *= self._factors[name]
            total += words.sum(axis=1)
        total ^= total >> HALF
        total *= SECOND
        return total ^ (total >> HALF)

    def _width(self, table: Table, name: str) -> int:
        size = int(np.prod(table.shapes[name]))
        return -(-size // 8) if name in self._bytes else size

    def _words(self, block: Table, name: str) -> Words:
        """The column's values as (rows, width), a copy."""
        kind, column = block.types[name], block.columns[name][slice(None)]
        if isinstance(kind, CategoryType | TextType):
            numbers = (
                column.astype(np.int64).view(np.uint64) if kind.labels is None else self._meant(kind.labels)[column]
            )
            return numbers[:, None]
        flat = np.ascontiguousarray(column).reshape(len(column), -1)
        if name in self._bytes:
            padded = np.zeros((len(flat), -(-flat.shape[1] // 8) * 8), np.uint8)
            padded[:, : flat.shape[1]] = flat
            return padded.view(np.uint64)
        values = flat.astype(np.float64) + 0.0  # −0 is 0
        values[np.isnan(values)] = np.nan  # of many kinds
        return values.view(np.uint64)

    def _meant(self, labels: tuple[str, ...]) -> Words:
        """A number for every label; the last is for a missing one, −1."""
        if labels not in self._labels:
            digests = b"".join(blake2b(label.encode(), digest_size=8).digest() for label in labels)
            self._labels[labels] = np.append(np.frombuffer(digests, np.uint64), np.uint64(0))
        return self._labels[labels]
