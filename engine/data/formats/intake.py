"""A pass over a file that finds out what its columns hold, and keeps what was read in a scratch file.

Every column is taken for numbers until a cell is none; from then on it is words, and the file is read once more
from its beginning. What is read in the last pass waits in memory while it is small, on disk when it is not.
"""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any
from weakref import finalize

import numpy as np
from numpy.typing import DTypeLike, NDArray

from engine.data.column_types import AnyColumnType, BooleanType, NumberType, TensorType, TextType
from engine.data.formats.incoming import Block, Incoming, MatrixBlock
from engine.data.formats.limits import ReadLimits
from engine.data.formats.words import Codes, Words
from engine.errors import DataError

IN_MEMORY = 1 << 25  # bytes of scratch


class Intake:
    """Columns of numbers, some of them 0 and 1 for booleans, and of words, and the rows as they are read."""

    def __init__(
        self,
        names: Sequence[str],
        words: dict[int, Words],
        folder: Path,
        limits: ReadLimits,
        booleans: Collection[int] = (),
    ) -> None:
        self._booleans = booleans
        self.names, self.words, self._limits = names, words, limits
        self.numbers = [column for column in range(len(names)) if column not in words]
        self.rows = 0
        self._sizes: list[tuple[int, np.dtype[Any]]] = []  # rows, and what their numbers wait as
        self._scratch = SpooledTemporaryFile(IN_MEMORY, dir=str(folder))  # noqa: SIM115 - lives as long as the intake
        finalize(self, self._scratch.close)

    def add(self, numbers: NDArray[np.float64] | NDArray[np.uint8], codes: Sequence[Codes]) -> None:
        """Keep some rows: the numbers (rows × columns of numbers), and the codes of every column of words."""
        limits = self._limits
        self.rows += len(numbers)
        room = min(limits.max_rows, limits.max_expanded_bytes // (8 * len(self.names)))
        if self.rows > room:
            raise DataError(
                f"the table is too big: at most {limits.max_rows} rows and {limits.max_expanded_bytes} "
                "bytes in memory, eight a cell; upload fewer rows or columns"
            )
        self._sizes.append((len(numbers), numbers.dtype))
        self._scratch.write(np.ascontiguousarray(numbers).reshape(-1).view(np.uint8).data)
        for column in codes:
            self._scratch.write(column.view(np.uint8).data)

    def incoming(self) -> Incoming:
        """What was kept, every word given its place in its column's type."""
        if self.rows < 2:
            raise DataError(f"the file has {self.rows} rows; a dataset needs at least two")
        settled = {column: (words, *self._settled(column, words)) for column, words in self.words.items()}
        types: dict[str, AnyColumnType] = {}
        dtypes: dict[str, np.dtype[Any]] = {}
        for column, name in enumerate(self.names):
            plain = BooleanType() if column in self._booleans else NumberType()
            types[name] = plain
            if column in settled:
                words, held, _ = settled[column]
                types[name] = words.form_type() or held
            dtypes[name] = _dtype(types[name])

        numbered = {self.names[column]: place for place, column in enumerate(self.numbers)}

        def blocks() -> Iterator[Block]:
            self._scratch.seek(0)
            for rows, dtype in self._sizes:
                numbers = self._values(dtype, rows * len(self.numbers)).astype(np.float64, copy=False)
                words: dict[str, NDArray[Any]] = {}
                for column, (found, _, places) in settled.items():
                    name = self.names[column]
                    words[name] = found.placed(self._values(np.int64, rows), places).astype(dtypes[name])
                yield MatrixBlock(numbers.reshape(rows, len(self.numbers)), numbered, words)

        return Incoming(self.rows, types, dtypes, dict.fromkeys(self.names, ()), blocks)

    def _settled(self, column: int, words: Words) -> tuple[AnyColumnType, NDArray[Any]]:
        try:
            return words.settled()
        except DataError as error:
            raise DataError(f"column {self.names[column]!r} {error.detail}") from None

    def _values(self, dtype: DTypeLike, count: int) -> NDArray[Any]:
        return np.frombuffer(self._scratch.read(count * np.dtype(dtype).itemsize), dtype)


def _dtype(column: AnyColumnType) -> np.dtype[Any]:
    if isinstance(column, TensorType):
        raise TypeError("a file of cells has no arrays")
    if column.labels is not None:
        return np.dtype(np.int32)
    return np.dtype(np.int64 if isinstance(column, TextType) else np.float64)
