"""JSON rows become the table that the same rows as CSV become, or are refused with the row at fault."""

import json
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data import CsvFormat, ReadLimits
from engine.data.column_types import BooleanType, NumberType
from engine.data.formats.json.json_format import JsonFormat
from engine.errors import DataError

ROWS = [
    {"age": 39, "job": "clerk", "paid": True, "share": 0.5},
    {"age": None, "job": " ", "paid": None, "share": 2},
    {"age": 50, "paid": False, "job": "cook", "share": 1e-3},
]
VALUES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("as_lines", [False, True])
def test_rows_become_the_same_table_as_csv(tmp_path, as_lines):
    path, other = tmp_path / "rows.json", tmp_path / "rows.csv"
    path.write_text("\n".join(map(json.dumps, ROWS)) if as_lines else json.dumps(ROWS, indent=2), "utf-8-sig")
    other.write_text("age,job,paid,share\n39,clerk,true,.5\n,NA,,2\n50,cook,False,0.001\n")
    table, expected = JsonFormat().read(path).training, CsvFormat().read(other).training
    assert {name: kind.kind for name, kind in table.types.items()} == {
        name: kind.kind for name, kind in expected.types.items()
    }
    assert {name: table.values(name) for name in table.columns} == {
        "age": [39, None, 50], "job": ["clerk", None, "cook"], "paid": [True, None, False], "share": [0.5, 2, 0.001],
    }  # fmt: skip


@given(rows=st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, min_size=1), min_size=2, max_size=30))
def test_what_was_written_reads_back_equal(new_folder, rows):
    path = new_folder() / "rows.json"
    path.write_text(json.dumps(rows))
    table = JsonFormat().read(path).training
    for name, kind in table.types.items():
        if isinstance(kind, NumberType | BooleanType):  # else numbers stand among booleans, as words
            assert table.values(name) == [row.get(name) for row in rows]


HOSTILE = {
    "nothing": (b"", "no object"),
    "an empty list": (b"[]", "no object"),
    "one row": (b'[{"a": 1}]', "1 rows"),
    "empty objects": (b"[{}, {}]", "no object"),
    "numbers": (b"[1, 2]", "row 1 is a number"),
    "a list of lists": (b"[[1], [2]]", "row 1 is an array of 1"),
    "a cell of cells": (b'[{"a": [1, 2]}, {"a": [3, 4]}]', "row 1, field 'a' is an array of 2"),
    "an object in an object": (b'[{"a": 1}, {"a": {"b": 1}}]', "row 2, field 'a' is an object"),
    "no closing bracket": (b'[{"a": 1}, {"a": 2}', "closing bracket"),
    "a comma too many": (b'[{"a": 1}, {"a": 2},]', "comma too many"),
    "no comma": (b'[{"a": 1} {"a": 2}]', "comma is missing after row 1"),
    "more behind the list": (b'[{"a": 1}, {"a": 2}] 3', "more after"),
    "half a row": (b'[{"a": 1}, {"a": ', "row 2 is no JSON"),
    "infinity": (b'[{"a": 1}, {"a": -Infinity}]', "row 2, field 'a' is infinite"),
    "a huge integer": (b'[{"a": 1}, {"a": ' + b"9" * 400 + b"}]", "beyond float64"),
    "an integer of many digits": (b'[{"a": 1}, {"a": ' + b"9" * 5000 + b"}]", "beyond float64"),
    "deep arrays": (b"[" * 1_000_000, "nested too deeply"),
    "deep objects": (b'{"a":' * 1_000_000, "nested too deeply|no JSON within"),
    "broken UTF-8": (b'[{"a": "\xff"}]', "not UTF-8"),
    "NUL bytes": (b"\0" * 100, "no JSON"),
    "a blank name": (b'[{"": 1}, {"": 2}]', "no name"),
    "a long text without end": (b'[{"a": "' + b"x" * 9_000_000, "no JSON within 4194304"),
    "a thousand names": (json.dumps([{f"c{n}": 1 for n in range(1000)}] * 2).encode(), "more than the 999 columns"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_a_sentence(tmp_path, name):
    content, sentence = HOSTILE[name]
    path = tmp_path / "hostile.json"
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(DataError, match=sentence) as caught:
        JsonFormat().read(path, ReadLimits(max_features=999))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(str(caught.value)) < 400 and peak < 60 << 20


@given(content=st.binary(max_size=60) | st.text('[]{},:"a1 -.\n', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(new_folder, content):
    path = new_folder() / "any.json"
    path.write_bytes(content)
    with suppress(DataError):
        assert JsonFormat().read(path).training.rows >= 2
