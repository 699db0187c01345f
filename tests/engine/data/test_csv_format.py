"""A CSV file is read as Python's csv module wrote it, or refused with the line and the column at fault."""

import csv
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data import CsvFormat, ReadLimits
from engine.data.column_types import BooleanType, CategoryType, NumberType, TextType
from engine.data.encoding.conversions import as_number
from engine.data.formats.csv import csv_text
from engine.data.formats.csv.csv_dialect import NOWHERE, Dialect
from engine.data.formats.csv.csv_rows import COMPILER, Layout, scanned, split
from engine.data.formats.csv.csv_text import Blocks, Lines
from engine.data.formats.words import Words
from engine.data.reading.cell_values import MISSING, YES_NO, number_in
from engine.errors import DataError

PRINTABLE = st.characters(exclude_categories=("C", "Z"))
NAMES = st.text(PRINTABLE, min_size=1, max_size=64)


@st.composite
def tables(draw):
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True).filter(lambda n: not all(map(numeric, n))))
    row = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=len(names), max_size=len(names))
    return names, draw(st.lists(row, min_size=2, max_size=20))


def numeric(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


@given(
    table=tables(),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\r\n", "\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig"]),
)
def test_what_the_csv_module_wrote_reads_back_equal(new_folder, table, quoting, end, encoding):
    names, rows = table
    path = new_folder() / "table.csv"
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, quoting=quoting, lineterminator=end).writerows([names, *rows])
    columns = CsvFormat().read(path).parts["all"].plain().columns
    assert list(columns) == names
    np.testing.assert_array_equal(np.column_stack(list(columns.values())), rows)


LETTERS = st.characters(exclude_categories=("Cs",), exclude_characters="\0")
CELLS = st.text(LETTERS, max_size=12).filter(lambda c: c[:1] != " ")
WORDS = CELLS | st.sampled_from(["?", "NA", "", "true", "False", "2020-01-31", "007", "5", '"', "a,b", "x\r\ny", "ä"])


@st.composite
def word_tables(draw):
    names = draw(st.lists(st.text("abcäß", min_size=1, max_size=4), min_size=1, max_size=4, unique=True))
    row = st.lists(WORDS, min_size=len(names), max_size=len(names))
    return names, draw(st.lists(row, min_size=2, max_size=20))


def meant(cell: str) -> object:
    """What a cell of words stands for, by Python's own reading of it."""
    text = cell.strip().lower()
    number = number_in(cell)
    return None if text in MISSING else YES_NO.get(text, cell) if number is None else number


@given(
    table=word_tables(),
    dialect=st.sampled_from(["excel", "excel-tab", "unix"]),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig"]),
)
def test_words_that_the_csv_module_wrote_read_back_equal(new_folder, table, dialect, delimiter, encoding):
    names, rows = table
    path = new_folder() / "table.csv"
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, dialect, delimiter=delimiter).writerows([names, *rows])
    try:
        table = CsvFormat().read(path).training
    except DataError as error:
        assert "finite" in str(error)  # a column of numbers and one that is infinite
        return
    assert list(table.columns) == names and table.rows == len(rows)
    for name, cells in zip(names, zip(*rows, strict=True), strict=True):
        expected = [meant(cell) for cell in cells]
        if not isinstance(table.types[name], NumberType | BooleanType):  # as it was written, then
            expected = [None if value is None else cell.strip() for value, cell in zip(expected, cells, strict=True)]
        assert table.values(name) == expected


def test_kinds_are_told_by_the_cells(tmp_path):
    path = tmp_path / "kinds.csv"
    rows = [
        f"{n},{n / 4},{['yes', 'no', '?'][n % 3]},{n % 2 == 0},2024-01-{n + 1:02},id{n},{n:05},{n if n != 7 else 'x'},,"
        f"word {n % 7} of {n}"
        for n in range(28)
    ]
    path.write_text("whole,broken,word,truth,day,key,code,mixed,nothing,prose\n" + "\n".join(rows))
    table = CsvFormat().read(path).training
    kinds = {name: getattr(kind, "holds", kind.kind) for name, kind in table.types.items()}
    assert kinds == {
        "whole": "number", "broken": "number", "word": "category", "truth": "boolean", "day": "dates",
        "key": "identifiers", "code": "identifiers", "mixed": "mixed", "nothing": "number", "prose": "text",
    }  # fmt: skip
    assert table.values("word", slice(0, 3)) == ["yes", "no", None]
    assert table.values("truth", slice(0, 2)) == [True, False]
    assert table.types["mixed"].example == "'x' in line 9"
    assert table.values("code", slice(0, 1)) == ["00000"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_and_spaces_behind_them_are_found(tmp_path, delimiter):
    path = tmp_path / "spaced.csv"
    path.write_text("age,job\n39, State-gov\n50, ?\n".replace(",", delimiter), "utf-8-sig")
    table = CsvFormat().read(path).training
    assert (table.values("age"), table.values("job")) == ([39, 50], ["State-gov", None])
    path.write_text('age,job\n39, "gov, state"\n50, "b"\n'.replace(",", delimiter))
    assert CsvFormat().read(path).training.values("job") == [f"gov{delimiter} state", "b"]


def test_too_many_different_words_are_kept_as_hashes_that_still_group_rows(tmp_path):
    path = tmp_path / "ids.csv"
    path.write_text("id,x\n" + "".join(f"user {n % 70_000},1\n" for n in range(140_000)))
    table = CsvFormat().read(path).training
    kind = table.types["id"]
    assert isinstance(kind, TextType) and kind.labels is None
    first, second = np.split(table.whole("id"), 2)
    np.testing.assert_array_equal(first, second)
    assert len(np.unique(first)) == 70_000


def test_a_table_longer_than_a_block_reads_back_equal(tmp_path):
    values = np.random.default_rng(0).normal(size=(30_000, 4))
    path = tmp_path / "long.csv"
    np.savetxt(path, values, fmt="%.17g", delimiter=",", header="a,b,c,d", comments="")
    columns = CsvFormat().read(path).parts["all"].columns
    np.testing.assert_array_equal(np.column_stack(list(columns.values())), values)


def test_what_shows_far_down_counts_for_the_column_and_an_error_names_its_line(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("a,b\n" + "1.25,2.5\n" * 300_000 + "3,oops\n" + "1,2\n" * 9)
    kind = CsvFormat().read(path).training.types["b"]
    assert isinstance(kind, CategoryType) and kind.labels == ("2", "2.5", "oops")
    path.write_text("a,b\n" + "1.25,2.5\n" * 300_000 + "3,-inf\n" + "1,2\n" * 9)
    with pytest.raises(DataError, match=r"column 'b' holds '-inf' in line 300002"):
        CsvFormat().read(path)


PIECES = st.sampled_from(
    ["1", "-2.5", "1e3", "007", "?", "NA", "", "word", "wörd", '"', '""', '"a,b"', '"x\ny"', '"d""d"', '"5"', " ", "\r",
     ",", ",", ",", "\n", "\n", "\r\n", "\t", "\x0b", "+", ".", "e", "inf", "12345678901234567890"]
)  # fmt: skip


@given(
    text=st.lists(PIECES, max_size=60).map("".join),
    columns=st.integers(1, 3),
    spaced=st.booleans(),
    words=st.sets(st.integers(0, 2)),
)
def test_compiled_code_reads_what_the_csv_module_reads_or_leaves_it_to_that(text, columns, spaced, words):
    compiled = COMPILER.scan(wait=True)
    block = Lines(3, (text + "\n").encode())
    layout = Layout(columns, tuple(sorted(word for word in words if word < columns)))
    dialect = Dialect("," if columns > 1 else NOWHERE, spaced)
    rows = scanned(compiled, block, dialect, layout)
    try:
        expected = split(block, Blocks(iter([])), dialect, layout, ReadLimits())
    except DataError:
        assert rows is None
        return
    if rows is None:
        return
    first = {strange.column: strange for strange in reversed(expected.strange)}
    assert {strange.column: strange for strange in reversed(rows.strange)} == first
    used = [column not in first for column in layout.numbers]  # the others are read once more, as words, or refused
    np.testing.assert_array_equal(rows.numbers[:, used], expected.numbers[:, used])
    assert [rows.line(row) for row in range(len(rows.begins))] == expected.lines
    for place in range(len(layout.words)):
        known, other = Words(), Words()
        for _ in range(2):  # the second time from the table
            np.testing.assert_array_equal(rows.codes(place, known), expected.codes(place, other))
        assert known.labels == other.labels


def test_most_plain_files_are_left_to_compiled_code():
    raw = b'1,a,"x, y"\r\n\r\n-2.5e3, b,"d""d"\r\n?,"two\nlines",NA\r\n'
    rows = scanned(COMPILER.scan(wait=True), Lines(1, raw), Dialect(), Layout(3, (1, 2)))
    words = Words()
    assert rows.numbers.tolist()[:2] == [[1], [-2500]] and np.isnan(rows.numbers[2, 0])
    assert rows.codes(1, words).tolist() == [0, 1, -3] and words.labels == ["x, y", 'd"d']
    assert [rows.line(row) for row in range(3)] == [1, 3, 4]


@pytest.mark.parametrize(
    "cells", [[0, -1], [1, -1, 1], [255, 256], [-0.0, 3], [2, 2.5], [7, -256], [1e300, 9]], ids=str
)
def test_a_number_that_is_no_byte_is_read_as_it_is(tmp_path, cells):
    path = tmp_path / "numbers.csv"
    path.write_text("n\n" + "".join(f"{cell!r}\n" for cell in cells))
    COMPILER.scan(wait=True)
    table = CsvFormat().read(path).training
    read = as_number("n", table.whole("n"), table.types["n"])
    assert read.tolist() == cells
    assert np.signbit(read).tolist() == np.signbit(np.asarray(cells, float)).tolist()


@pytest.mark.parametrize("code", ["1e2641", "655e38", "9" * 150, "9007199254740993", "007"], ids=lambda code: code[:20])
@pytest.mark.parametrize("first", [True, False])
def test_codes_and_integers_that_float64_does_not_hold_are_words_whatever_their_order(tmp_path, code, first):
    path = tmp_path / "codes.csv"
    cells = [code, "8e3", "12"] if first else ["12", "8e3", code]
    path.write_text("a\n" + "".join(f"{cell}\n" for cell in cells))
    table = CsvFormat().read(path).training
    assert isinstance(table.types["a"], CategoryType) and table.values("a") == cells


def test_blocks_that_end_within_a_quote_read_alike(tmp_path, monkeypatch):
    path = tmp_path / "quoted.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["n", "word"])
        writer.writerows([n, f"line\nbreak, {n % 5}"] for n in range(3000))
    COMPILER.scan(wait=True)
    whole = CsvFormat().read(path).training
    assert whole.values("word", slice(0, 2)) == ["line\nbreak, 0", "line\nbreak, 1"]
    monkeypatch.setattr(csv_text, "BLOCK", 700)
    assert CsvFormat().read(path).training.values("word") == whole.values("word")
    monkeypatch.setattr(COMPILER, "scan", lambda: None)
    assert CsvFormat().read(path).training.values("word") == whole.values("word")


HOSTILE = {
    "an empty file": (b"", "empty"),
    "a byte order mark alone": (b"\xef\xbb\xbf", "empty"),
    "a blank header": (b"\n1,2\n3,4\n", "line 2 holds only numbers"),
    "blank lines only": (b"\n \r\n\n", "no rows"),
    "a header alone": (b"a,b\n", "0 rows"),
    "one row": (b"a,b\n1,2\n", "1 rows"),
    "one row without an end": (b"a,b\n1,2", "1 rows"),
    "no header": (b"1,2\n3,4\n5,6\n", "header row"),
    "an unnamed column": (b"a,\n1,2\n3,4\n", "column 2 has no name"),
    "a column twice": (b"a,b,a\n1,2,3\n4,5,6\n", "two columns are named 'a'"),
    "a name of control characters": (b"a,b\x07\n1,2\n3,4\n", "printable"),
    "a name that turns text around": ("a,b\u202e\n1,2\n3,4\n".encode(), "printable"),
    "a name too long": (b"a," + b"b" * 201 + b"\n1,2\n3,4\n", "201 characters; a name has at most 200"),
    "a short row": (b"a,b\n1,2\n3\n5,6\n", "line 3 has 1 cells"),
    "a long row": (b"a,b\n1,2\n3,4,5\n", "line 3 has 3 cells"),
    "rows all longer than the header": (b"a,b\n1,2,3,4\n4,5,6,7\n", "line 2 has 4 cells"),
    "infinity": (b"a,b\n1,2\n3,-inf\n", "finite"),
    "an open quote": (b'a,b\n1,2\n"3,4\n5,6\n', "line 3 is not CSV"),
    "an open quote at the end": (b'a,b\n1,2\n3,"4', "line 3 is not CSV"),
    "broken UTF-8": (b"a,b\n1,2\n3,\xff\n", "not UTF-8: byte 0xff"),
    "broken UTF-8 in the header": (b"a,\xc3\x28\n1,2\n3,4\n", "not UTF-8"),
    "UTF-8 that ends too early": (b"a,b\n1,2\n3,4\xe2\x82", "not UTF-8"),
    "a lone surrogate": (b"a,\xed\xa0\x80\n1,2\n3,4\n", "not UTF-8"),
    "UTF-16 that is cut": ("a,b\n1,2\n3,4\n".encode("utf-16")[:-1], "not utf-16-le"),
    "a quoted field without end": (b'a,b\n1,2\n3,"' + b"x" * 200_000 + b'"\n', "line 3 is not CSV"),
    "a quote that nobody closes": (b'a,b\n1,2\n3,"' + b"x\n" * 3_000_000, "not CSV|not closed"),
    "a million columns": (b",".join(b"c%d" % n for n in range(1_000_000)) + b"\n", "longer than|at most 65536"),
    "a million short columns": (b"a," * 1_000_000 + b"a\n", "at most 65536"),
    "a NUL byte": (b"a,b\n1,2\n3,4\x00\n", "NUL byte in line 3"),
    "NUL bytes only": (b"\x00" * 4096, "NUL"),
    "a zip file": (b"PK\x03\x04\x14\x00\x00\x00\x08\x00", "zip archive"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_a_sentence(tmp_path, name):
    content, sentence = HOSTILE[name]
    path = tmp_path / "hostile.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=sentence) as caught:
        CsvFormat().read(path)
    assert len(str(caught.value)) < 400


@given(content=st.binary(max_size=200) | st.text('a1,"\n\r .-e_;\t', max_size=80).map(str.encode))
def test_any_bytes_are_read_or_refused(new_folder, content):
    path = new_folder() / "any.csv"
    path.write_bytes(content)
    try:
        table = CsvFormat().read(path).parts["all"]
    except DataError:
        return
    assert table.rows >= 2
    assert not any(np.isinf(column[:]).any() for column in table.columns.values())


def test_limits_are_named_where_they_are_passed(tmp_path):
    path = tmp_path / "big.csv"
    path.write_text("a,b\n" + "1,2\n" * 100)
    with pytest.raises(DataError, match="at most 99 rows"):
        CsvFormat().read(path, ReadLimits(max_rows=99))
    with pytest.raises(DataError, match="1599 bytes"):
        CsvFormat().read(path, ReadLimits(max_expanded_bytes=1599))
    with pytest.raises(DataError, match="at most 1 are allowed"):
        CsvFormat().read(path, ReadLimits(max_features=1))


def test_one_endless_line_takes_bounded_memory(tmp_path):
    path = tmp_path / "line.csv"
    path.write_bytes(b"a,b\n" + b"1," * 20_000_000)
    tracemalloc.start()
    with pytest.raises(DataError, match="longer than 4194304 bytes"):
        CsvFormat().read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30 << 20
    assert Path(path).stat().st_size > peak
