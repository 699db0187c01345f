"""Answers on their way to a file, block by block: CSV, or Parquet by arro3."""

import csv
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.answer_columns import Columns, cells
from engine.errors import DataError

AnswerFormat = Literal["csv", "parquet"]
GROUP_ROWS = 1 << 16  # of a Parquet row group, which is in memory as a whole


def write_answers(path: Path, form: AnswerFormat, blocks: Iterable[Columns]) -> None:
    """Write blocks of columns of the same names; raises what `blocks` raises."""
    waiting = iter(blocks)
    first = next(waiting, None)
    if first is None:
        raise DataError("there are no rows to predict")
    (_write_csv if form == "csv" else _write_parquet)(path, first, chain([first], waiting))


def _write_csv(path: Path, first: Columns, blocks: Iterator[Columns]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(first)
        for block in blocks:
            writer.writerows(zip(*map(cells, block.values()), strict=True))


def _write_parquet(path: Path, first: Columns, blocks: Iterator[Columns]) -> None:
    from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema
    from arro3.io import write_parquet

    def array(column: NDArray[Any]) -> Array:
        if column.dtype.kind in "UO":
            return Array([str(value) for value in column.tolist()], DataType.string())
        return Array.from_numpy(np.ascontiguousarray(column))

    schema = Schema([Field(name, array(column[:1]).type, nullable=False) for name, column in first.items()])
    raised: list[BaseException] = []

    def batches() -> Iterator[RecordBatch]:
        try:
            for block in blocks:
                yield RecordBatch.from_arrays([array(column) for column in block.values()], schema=schema)
        except BaseException as error:  # arro3 would tell of it in words of its own
            raised.append(error)
            raise

    try:
        write_parquet(RecordBatchReader.from_batches(schema, batches()), path, max_row_group_size=GROUP_ROWS)
    except BaseException as error:
        if raised:
            raise raised[0] from error
        raise
