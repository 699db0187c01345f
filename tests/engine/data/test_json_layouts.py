"""A table means the same in every layout that pandas and others write as JSON; what is no table is refused."""

import json
from datetime import UTC, datetime

import pytest

from engine.data import ReadLimits
from engine.data.formats import words
from engine.data.formats.json.json_format import JsonFormat
from engine.errors import DataError

TABLE = {"size": [31.5, 42, None], "kind": ["oak", None, "elm"], "old": [True, False, None]}
ROWS = [dict(zip(TABLE, row, strict=True)) for row in zip(*TABLE.values(), strict=True)]


def keyed(labels, values):
    return dict(zip(labels, values, strict=True))


LAYOUTS = {
    "records": ROWS,
    "data": {"data": ROWS},
    "among others": {"count": 3, "page": {"next": None}, "rows": ROWS, "tags": ["a"]},
    "an array a column": TABLE,
    "columns": {name: keyed("012", values) for name, values in TABLE.items()},
    "columns with labels": {name: keyed(["9", "8", "7"], values) for name, values in TABLE.items()},
    "index": keyed("012", ROWS),
    "index with labels": keyed(["p", "q", "r"], [{**row, "size": row["size"]} for row in ROWS]),
    "split": {"columns": list(TABLE), "index": [0, 1, 2], "data": [list(row.values()) for row in ROWS]},
    "split, its data first": {"data": [list(row.values()) for row in ROWS], "index": [5, 6], "columns": list(TABLE)},
    "table": {
        "schema": {
            "fields": [{"name": "index", "type": "integer"}, *({"name": name} for name in TABLE)],
            "primaryKey": ["index"],
            "pandas_version": "1.4.0",
        },
        "data": [{"index": place, **row} for place, row in enumerate(ROWS)],
    },
}  # fmt: skip


def read(path, document, **limits):
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return JsonFormat().read(path, ReadLimits(**limits)).training


def values(table):
    return {name: table.values(name) for name in table.columns}


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "index with labels"])
def test_every_layout_is_the_same_table(tmp_path, layout):
    table = read(tmp_path / "t.json", LAYOUTS[layout])
    assert values(table) == TABLE
    assert [kind.kind for kind in table.types.values()] == ["number", "category", "boolean"]


def test_more_rows_than_columns_tell_which_is_which_where_labels_do_not(tmp_path):
    plants = {f"p{n}": {"size": n, "kind": "oak"} for n in range(5)}
    assert values(read(tmp_path / "t.json", plants)) == {"size": [0, 1, 2, 3, 4], "kind": ["oak"] * 5}
    turned = {name: {label: row[name] for label, row in plants.items()} for name in ("size", "kind")}
    assert values(read(tmp_path / "t.json", turned)) == {"size": [0, 1, 2, 3, 4], "kind": ["oak"] * 5}
    with pytest.raises(DataError, match=r"rows or columns, 3 of each.*orient='records'"):
        read(tmp_path / "t.json", LAYOUTS["index with labels"])


def guesses(path, document):
    path.write_text(json.dumps(document))
    return [(guess.what, guess.detail) for guess in JsonFormat().incoming(path)["all"].guesses]


def test_what_is_left_out_or_guessed_is_said(tmp_path):
    path = tmp_path / "t.json"
    said = {
        name: " / ".join(detail for _, detail in guesses(path, LAYOUTS[name]))
        for name in LAYOUTS
        if name[-6:] != "labels"
    }
    assert {name for name, detail in said.items() if detail} == {"among others", "split, its data first", "table"}
    assert "the list 'rows' of the object; passed over are 'count', 'page', 'tags'" in said["among others"]
    assert "labels of rows, such as 5, are left out" in said["split, its data first"]
    assert "'index' is the index of the table's schema" in said["table"]
    assert "such as '9', are left out" in guesses(path, LAYOUTS["columns with labels"])[0][1]
    turned = dict(guesses(path, {f"p{n}": {"size": n, "kind": "oak"} for n in range(5)}))
    assert "the outer keys are taken for rows" in turned["layout"] and "such as 'p0'" in turned["index"]
    assert "'a' holds integers beyond ±2⁵³" in guesses(path, [{"a": 2**60}, {"a": 1}])[0][1]


def test_a_row_of_an_index_may_leave_fields_out(tmp_path):
    table = read(tmp_path / "t.json", {"0": {"a": 1}, "1": {"a": 2, "b": "x"}, "2": {"b": "y"}})
    assert values(table) == {"a": [1, 2, None], "b": [None, "x", "y"]}


def test_more_rows_than_columns_are_allowed_in_an_index(tmp_path):
    rows = {str(number): {"a": number, "b": -number} for number in range(300)}
    assert values(read(tmp_path / "t.json", rows, max_features=7))["b"] == [-number for number in range(300)]


def test_long_columns_are_read_piece_by_piece(tmp_path):
    numbers = list(range(100_000))
    table = read(tmp_path / "t.json", {"a": numbers, "b": [str(n % 7) + "x" for n in numbers]}, max_line=1000)
    assert table.values("a") == numbers and table.values("b")[-1] == f"{99_999 % 7}x"


REFUSED = {
    "arrays of arrays": ([[1, 2], [3, 4]], r"row 1 is an array of 2, whose values have no names: .*orient='records'"),
    "arrays in an object": ({"data": [[1, 2], [3, 4]]}, "arrays of arrays"),
    "two lists": ({"a": ROWS, "b": ROWS}, "lists of objects as 'a' and 'b'"),
    "columns of other lengths": ({"a": [1, 2], "b": [1, 2, 3]}, "column 'a' has 2 values, and 'b' 3"),
    "columns of other rows": ({"a": {"0": 1, "1": 2}, "b": {"0": 1, "2": 2}}, "columns 'a' and 'b' have other rows"),
    "a short row": ({"columns": ["a", "b"], "data": [[1, 2], [3]]}, "row 2 is .* every row is an array of 2"),
    "a column twice": ('{"a": {"0": 1, "1": 2}, "a": {"0": 1, "1": 2}}', "the key 'a' twice"),
    "an object in a row": ({"rows": [{"a": 1}, {"a": {"b": 1}}]}, "row 2, field 'a' is an object"),
    "one row": ({"a": 1, "b": "x"}, "the file has 1 rows"),
    "many keys": ({f"k{n}": n for n in range(100)}, "more than the 99 columns"),
    "no end": ('{"a": [1, 2], "b": [1, ', "without a closing bracket"),
    "no value": ('{"a": [1, 2], "b":', "'b', which has no value"),
    "no colon": ('{"a" [1, 2]}', "a colon is missing after 'a'"),
    "no comma": ('{"a": [1, 2] "b": [1]}', "a comma or its end is missing after 'a'"),
    "a comma too many": ('{"a": [1, 2],}', "a comma too many after 'a'"),
    "no quotes": ("{a: [1, 2]}", "a key in double quotes is expected"),
    "deep": ('{"a": [' + "[" * 100_000, "nested too deeply"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_table_is_refused_with_a_sentence(tmp_path, name):
    document, sentence = REFUSED[name]
    with pytest.raises(DataError, match=sentence) as caught:
        read(tmp_path / "t.json", document, max_features=99)
    assert len(str(caught.value)) < 400
    assert [file.name for file in tmp_path.iterdir()] == ["t.json"]


def test_the_scratch_of_columns_is_bounded(tmp_path):
    with pytest.raises(DataError, match="more than 1000 bytes"):
        read(tmp_path / "t.json", {"a": ["word"] * 300}, max_expanded_bytes=1000)


def test_texts_that_are_numbers_are_numbers_and_blank_ones_are_missing(tmp_path):
    rows = [
        {"age": "", "count": "4", "share": "1.5", "code": "007", "yes": "true"},
        {"age": 78, "count": " ", "share": "NA", "code": "12", "yes": "n/a"},
        {"age": 50, "count": "-2e1", "share": 2, "code": "", "yes": False},
    ]
    table = read(tmp_path / "t.json", rows)
    assert values(table) == {
        "age": [None, 78, 50], "count": [4, None, -20], "share": [1.5, None, 2], "code": ["007", "12", None],
        "yes": [True, None, False],
    }  # fmt: skip
    assert [kind.kind for kind in table.types.values()] == ["number", "number", "number", "category", "boolean"]


def test_words_that_mark_missing_cells_in_csv_are_words_in_json(tmp_path):
    rows = [{"veneer": word, "land": "NA"} for word in ("None", "Brick", "None", None, "-")]
    table = read(tmp_path / "t.json", rows)
    assert values(table) == {"veneer": ["None", "Brick", "None", None, "-"], "land": ["NA"] * 5}


@pytest.mark.parametrize("place", [0, 500, 2500])
def test_a_mark_among_very_many_numbers_is_missing(tmp_path, place, monkeypatch):
    """As R writes what is missing in a column of numbers."""
    monkeypatch.setattr(words, "MOST_LABELS", 1000)
    rows = [{"n": n / 8 if n != place else "NA"} for n in range(3000)]
    table = read(tmp_path / "t.json", rows)
    assert table.types["n"].kind == "number"
    assert table.values("n") == [None if n == place else n / 8 for n in range(3000)]


def test_what_is_missing_can_be_told(tmp_path):
    rows = [
        {"n": -999, "w": "unknown", "s": "-999"},
        {"n": 1.5, "w": "NA", "s": "2"},
        {"n": -999.0, "w": "x", "s": "Unknown"},
    ]
    (tmp_path / "t.json").write_text(json.dumps(rows))
    table = JsonFormat(missing="unknown,-999").read(tmp_path / "t.json").training
    assert values(table) == {"n": [None, 1.5, None], "w": [None, "NA", "x"], "s": [None, 2, None]}
    assert table.types["n"].reading.missing == ("-999", "unknown")


def test_an_index_that_was_written_and_read_again_is_left_out(tmp_path):
    rows = [{"Unnamed: 0": n, "a": n % 3, "Unnamed: 0.1": "xyz"[n % 3]} for n in range(20)]
    table = read(tmp_path / "t.json", rows)
    assert list(table.columns) == ["a", "Unnamed: 0.1"]
    assert guesses(tmp_path / "t.json", rows)[0][1].startswith("'Unnamed: 0' is an index that pandas has written")


LONG = 2**53 + 1  # which float64 does not hold


@pytest.mark.parametrize("late", [False, True])
def test_integers_beyond_float64_are_told_apart(tmp_path, late):
    numbers = [LONG, LONG + 1, -LONG, 4.0, 5, None]
    rows = [{"id": 1, "text": "2", "one": "3"}] * (40_000 * late) + [{"id": n, "text": n and f"{n}"} for n in numbers]
    rows[-1]["one"] = str(LONG)
    table = read(tmp_path / "t.json", rows)
    assert table.values("id")[-6:] == [str(LONG), str(LONG + 1), str(-LONG), "4", "5", None]
    assert table.values("text")[-6:] == [str(LONG), str(LONG + 1), str(-LONG), "4.0", "5", None]
    assert len(set(table.whole("id").tolist())) == 6 + late and table.values("one")[-1] == str(LONG)


@pytest.mark.parametrize("order", [1, -1])
def test_a_number_beyond_float64_is_refused_and_a_text_is_a_word_in_any_order(tmp_path, order):
    with pytest.raises(DataError, match=r"field 'a' is infinite.*a code such as 1e400 is a text"):
        rows = ['{"a": 1e400}', '{"a": "x"}', '{"a": 3}'][::order]
        read(tmp_path / "t.json", f"[{','.join(rows)}]")
    rows = [{"a": "1e2641"}, {"a": "9535e6"}, {"a": "0x"}][::order]
    assert read(tmp_path / "t.json", rows).values("a") == ["1e2641", "9535e6", "0x"][::order]
    codes = [{"a": "1e2641"}, {"a": "9535e6"}][::order]
    assert read(tmp_path / "t.json", codes).values("a") == ["1e2641", "9535e6"][::order]


def test_times_that_pandas_writes_are_dates(tmp_path):
    days = [datetime(2024, 1, day, tzinfo=UTC).isoformat() for day in range(1, 31)]
    table = read(tmp_path / "t.json", {"day": days, "n": list(range(30))})
    assert table.types["day"].holds == "dates"


def test_texts_that_people_write_for_numbers_are_numbers(tmp_path):
    rows = [{"price": "$1,200", "share": "3,5", "paid": "TRUE"}, {"price": "NA", "share": "-", "paid": "none"}] * 5
    rows += [{"price": f"${n},000.50", "share": f"{n},25", "paid": "false"} for n in range(1, 20)]
    table = read(tmp_path / "t.json", rows)
    assert [kind.kind for kind in table.types.values()] == ["number", "number", "boolean"]
    assert table.values("price")[:3] == [1200, None, 1200] and table.values("price")[-1] == 19_000.5
    assert table.values("share")[:3] == [3.5, None, 3.5] and table.values("paid")[:2] == [True, None]


def test_more_spellings_than_are_kept_are_numbers_as_well(tmp_path):
    rows = [{"size": f"{n},5", "n": n} for n in range(70_000)]
    table = read(tmp_path / "t.json", rows)
    assert table.types["size"].kind == "number" and table.values("size")[::7000] == [
        n + 0.5 for n in range(0, 70_000, 7000)
    ]
