"""Parquet becomes the table that the same rows as JSON become; what is damaged or too much is refused."""

import numpy as np
import pytest
from arro3.core import Array, DataType, RecordBatch
from arro3.io import write_parquet

from engine.data import ReadLimits
from engine.data.column_types import TextType
from engine.data.formats.parquet_format import ParquetFormat
from engine.errors import DataError


def written(path, compression="snappy", **columns):
    write_parquet(RecordBatch.from_pydict(columns), path, compression=compression)
    return path


def test_flat_columns_are_read_by_their_types(tmp_path):
    days = Array.from_numpy(np.arange(3, dtype=np.int32)).cast(DataType.date32())
    path = written(
        tmp_path / "t.parquet",
        whole=Array([1, None, 3], DataType.int64()),
        broken=Array([0.5, float("nan"), -2], DataType.float32()),
        word=Array(["a", None, "b"], DataType.string()),
        truth=Array([True, False, None], DataType.bool()),
        day=days,
    )
    table = ParquetFormat().read(path).training
    assert {name: table.values(name) for name in table.columns} == {
        "whole": [1, None, 3], "broken": [0.5, None, -2], "word": ["a", None, "b"], "truth": [True, False, None],
        "day": ["1970-01-01", "1970-01-02", "1970-01-03"],
    }  # fmt: skip
    assert isinstance(table.types["day"], TextType) and table.types["day"].holds == "dates"


def test_columns_of_words_alone_are_read(tmp_path):
    path = written(tmp_path / "t.parquet", word=Array(["a", "b", "a"], DataType.string()))
    assert ParquetFormat().read(path).training.values("word") == ["a", "b", "a"]


def test_many_batches_read_back_equal(tmp_path):
    values = np.random.default_rng(0).normal(size=(100_000, 3))
    path = written(
        tmp_path / "t.parquet", **{name: Array.from_numpy(values[:, j].copy()) for j, name in enumerate("abc")}
    )
    table = ParquetFormat().read(path).training
    np.testing.assert_array_equal(np.column_stack([table.whole(name) for name in "abc"]), values)


def test_what_no_network_takes_is_refused_by_name(tmp_path):
    nested = RecordBatch.from_pydict({"a": Array([1, 2], DataType.int64())}).to_struct_array()
    with pytest.raises(DataError, match="column 'n' is of the type"):
        ParquetFormat().read(written(tmp_path / "t.parquet", n=nested))
    with pytest.raises(DataError, match="column 'a' holds infinity"):
        ParquetFormat().read(written(tmp_path / "t.parquet", a=Array([1.0, float("inf")], DataType.float64())))
    with pytest.raises(DataError, match="at most 1 are allowed"):
        numbers = Array([1, 2], DataType.int64())
        ParquetFormat().read(written(tmp_path / "t.parquet", a=numbers, b=numbers), ReadLimits(max_features=1))


def test_damaged_files_are_refused(tmp_path):
    path = written(tmp_path / "t.parquet", a=Array(list(range(1000)), DataType.int64()))
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for content in (b"", b"PAR1", b"PAR1" * 9, whole[:-9], whole[:40] + whole[-40:], b"\0" * 100, b"a,b\n1,2\n"):
        path.write_bytes(content)
        with pytest.raises(DataError, match="Parquet"):
            ParquetFormat().read(path)
    for _ in range(10):  # a byte that changed may go unnoticed, but not end this process
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 0xFF
        path.write_bytes(damaged)
        try:
            ParquetFormat().read(path)
        except DataError as error:
            assert len(str(error)) < 400


@pytest.mark.parametrize(
    ("size", "rows", "sentence"),
    [
        (1_000_000, 100, "more than 64 MB of text"),
        pytest.param(2_000_000, 600, "within a gigabyte of memory", marks=pytest.mark.accept),
    ],
)
def test_a_few_bytes_that_stand_for_gigabytes_are_refused(tmp_path, size, rows, sentence):
    path = written(tmp_path / "bomb.parquet", "zstd(3)", word=Array(["x" * size] * rows, DataType.string()))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(DataError, match=sentence):
        ParquetFormat().read(path)
