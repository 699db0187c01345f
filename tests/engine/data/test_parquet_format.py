"""Parquet becomes the table that the same rows as JSON become; what is damaged or too much is refused."""

import base64
import io
import json

import numpy as np
import pytest
from arro3.core import Array, DataType, Field, RecordBatch, Schema, Table
from arro3.io import write_ipc_stream, write_parquet

from engine.data import ReadLimits
from engine.data.column_types import TextType
from engine.data.formats.parquet.parquet_format import ParquetFormat
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


def values_of(path):
    table = ParquetFormat().read(path).training
    return {name: (table.types[name].kind, table.values(name)) for name in table.columns}


def test_dictionaries_are_what_their_values_are(tmp_path):
    def dictionary(values, held):
        return Array(values, held).cast(DataType.dictionary(DataType.int8(), held))

    path = written(
        tmp_path / "t.parquet",
        truth=Array([True, None, False], DataType.bool()),
        whole=dictionary([5, None, 7], DataType.int64()),
        broken=dictionary([0.5, None, 7], DataType.float64()),
        word=dictionary(["a", None, "NA"], DataType.string()),
    )
    assert values_of(path) == {
        "truth": ("boolean", [True, None, False]), "whole": ("number", [5, None, 7]),
        "broken": ("number", [0.5, None, 7]), "word": ("category", ["a", None, "NA"]),
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["boolean", "decimal"])
def test_a_dictionary_that_its_library_cannot_read_is_read_all_the_same(tmp_path, kind):
    """The schema of Arrow that the file below holds calls its column a dictionary, as that of pandas does."""
    plain = {
        "boolean": Array([True, None, False], DataType.bool()),
        "decimal": Array([125, None, -5], DataType.int64()).cast(DataType.decimal128(10, 0)),
    }[kind]
    dictionary = DataType.dictionary(DataType.int8(), plain.type)
    long = Array([90, None, 0], DataType.int64()).cast(DataType.duration("s"))
    schema = io.BytesIO()
    write_ipc_stream(
        Table.from_batches([], schema=Schema([Field("long", long.type), Field("held", dictionary)])), schema
    )
    write_parquet(
        RecordBatch.from_pydict({"long": long.cast(DataType.int64()), "held": plain}), path := tmp_path / "t.parquet",
        skip_arrow_metadata=True,
        key_value_metadata={"ARROW:schema": base64.b64encode(schema.getvalue()[:-8]).decode()},
    )  # fmt: skip
    expected = ("boolean", [True, None, False]) if kind == "boolean" else ("number", [125, None, -5])
    assert values_of(path) == {"long": ("number", [90, None, 0]), "held": expected}


def test_durations_are_seconds_and_times_of_day_are_no_labels(tmp_path):
    path = written(
        tmp_path / "t.parquet",
        long=Array([90, None, 0], DataType.int64()).cast(DataType.duration("s")),
        short=Array([1500, None, 250], DataType.int64()).cast(DataType.duration("ms")),
        clock=Array([1, None, 3600], DataType.int32()).cast(DataType.time32("s")),
    )
    guesses = [guess.detail for guess in ParquetFormat().incoming(path)["all"].guesses]
    assert guesses == [
        f"column {name!r} holds durations; they are read as numbers of seconds" for name in ("long", "short")
    ]
    found = values_of(path)
    assert found["long"] == ("number", [90, None, 0]) and found["short"] == ("number", [1.5, None, 0.25])
    assert found["clock"] == ("text", ["00:00:01", None, "01:00:00"])
    assert ParquetFormat().read(path).training.types["clock"].holds == "times"


def test_the_index_that_pandas_did_not_name_is_left_out(tmp_path):
    columns = {
        "x": Array([4, 5], DataType.int64()),
        "day": Array([1, 2], DataType.int64()),
        "__index_level_1__": Array([7, 8], DataType.int64()),
    }
    described = {"index_columns": ["day", "__index_level_1__"], "columns": [], "pandas_version": "2.2.0"}
    for said in (json.dumps(described), json.dumps({"index_columns": 3}), "no JSON", "[]"):
        write_parquet(RecordBatch.from_pydict(columns), tmp_path / "t.parquet", key_value_metadata={"pandas": said})
        left = ["x", "day"] if said == json.dumps(described) else list(columns)
        assert list(values_of(tmp_path / "t.parquet")) == left
        guesses = ParquetFormat().incoming(tmp_path / "t.parquet")["all"].guesses
        assert ["'__index_level_1__' is the index of a pandas frame" in guess.detail for guess in guesses] == [True] * (
            len(left) == 2
        )


def test_an_index_that_was_written_and_read_again_is_left_out(tmp_path):
    numbers = Array(list(range(50_000)), DataType.int64())
    path = written(
        tmp_path / "t.parquet",
        **{"Unnamed: 0": numbers, "x": numbers, "Unnamed: 0.1": Array.from_numpy(np.ones(50_000))},
    )
    table = ParquetFormat().read(path).training
    assert list(table.columns) == ["x", "Unnamed: 0.1"] and table.values("x") == list(range(50_000))


def test_integers_beyond_float64_are_told_apart(tmp_path):
    far = 2**53 + 1
    small = [5] * 50_000
    path = written(
        tmp_path / "t.parquet",
        late=Array([*small, far, far + 1, None], DataType.int64()),
        wide=Array([*small, 2**64 - 1, 2**64 - 2, None], DataType.uint64()),
        decimal=Array([*small, far, -far, None], DataType.int64()).cast(DataType.decimal128(38, 0)),
        near=Array([*small, 2**53, -(2**53), None], DataType.int64()),
        cents=Array([*small, 125, -125, None], DataType.int64()).cast(DataType.decimal128(38, 2)),
    )
    found = {name: (kind, values[-4:]) for name, (kind, values) in values_of(path).items()}
    assert found == {
        "late": ("category", ["5", str(far), str(far + 1), None]),
        "wide": ("category", ["5", str(2**64 - 1), str(2**64 - 2), None]),
        "decimal": ("category", ["5", str(far), str(-far), None]),
        "near": ("number", [5, 2**53, -(2**53), None]),
        "cents": ("number", [5, 125, -125, None]),
    }


def test_texts_are_what_they_are_in_json(tmp_path):
    path = written(
        tmp_path / "t.parquet",
        number=Array(["1", "", "2.5"], DataType.large_string()),
        word=Array(["None", "NA", None], DataType.string()),
        code=Array(["1e2641", "12", "13"], DataType.string()),
    )
    assert values_of(path) == {
        "number": ("number", [1, None, 2.5]), "word": ("category", ["None", "NA", None]),
        "code": ("category", ["1e2641", "12", "13"]),
    }  # fmt: skip


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
    with pytest.raises(DataError, match="row 2, field 'a' is infinite"):
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
