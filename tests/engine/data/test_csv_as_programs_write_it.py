"""CSV files as spreadsheets, databases, R, pandas and NumPy write them: read as meant, or refused."""

from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data import CsvFormat, format_of
from engine.data.formats.csv.csv_cells import read_cells
from engine.data.formats.csv.csv_options import CsvOptions
from engine.data.formats.guess import Guess
from engine.errors import DataError
from tests.engine.data.damage import damaged, read_of


@dataclass(frozen=True)
class Written:
    """A file, and what it means."""

    content: bytes
    columns: dict[str, list[object]]
    guesses: dict[str, str] = field(default_factory=dict)  # what, and the option that settles it


def read(folder: Path, content: bytes, **options: object) -> tuple[dict[str, list[object]], tuple[Guess, ...]]:
    path = folder / "uploaded"
    path.write_bytes(content)
    found = CsvFormat.model_validate(options).incoming(path)["all"]
    table = found.table()
    return {name: table.values(name) for name in table.types}, found.guesses


TABLE = {"size": [4.5, 7, 8], "kind": ["fir", "oak", "fir"]}
ROWS = b"4.5,fir\n7,oak\n8,fir\n"
SEMICOLONS = b"size;kind\n" + ROWS.replace(b",", b";")
ROAD = {"stadt": ["Köln", "Münster", "Köln"], "n": [1, 2, 3]}
ROAD_TEXT = "stadt,n\nKöln,1\nMünster,2\nKöln,3\n"

FILES = {
    "plain": Written(b"size,kind\n" + ROWS, TABLE),
    "a line for Excel": Written(b"sep=;\r\n" + SEMICOLONS.replace(b"\n", b"\r\n"), TABLE),
    "a line for Excel about a rare delimiter": Written(b"sep=^\n" + SEMICOLONS.replace(b";", b"^"), TABLE),
    "semicolons": Written(SEMICOLONS, TABLE, {"delimiter": "delimiter=semicolon"}),
    "a title": Written(b"Trees of the park\n\nsize,kind\n" + ROWS, TABLE, {"title": "header=3"}),
    "sentences that have as many commas": Written(
        b"said\ngood, warm, near\nbad, cold, near\n", {"said": ["good, warm, near", "bad, cold, near"]}
    ),
    "a title that a spreadsheet saved": Written(
        b"Trees,,\n,,\nsize,kind,n\n4.5,fir,1\n7,oak,2\n", {"size": [4.5, 7], "kind": ["fir", "oak"], "n": [1, 2]},
        {"title": "header=3"},
    ),
    "comments": Written(b"# made by a scale\n# in May\nsize,kind\n" + ROWS, TABLE, {"comment": "comment=hash"}),
    "comments between rows": Written(
        b"# made by a scale\nsize,kind\n4.5,fir\n# a pause\n7,oak\n8,fir\n", TABLE, {"comment": "comment=hash"}
    ),
    "a header as NumPy writes it": Written(b"# size,kind\n" + ROWS, TABLE, {"header mark": ""}),
    "a header below comments, as a comment": Written(
        b"# made by a scale\n#size,kind\n" + ROWS, TABLE, {"header mark": "", "comment": "comment=hash"}
    ),
    "a column that is called #": Written(b"#,kind\n" + ROWS, {"#": TABLE["size"], "kind": TABLE["kind"]}),
    "a column that is called #size": Written(b"#size,kind\n" + ROWS, {"#size": TABLE["size"], "kind": TABLE["kind"]}),
    "no header": Written(
        ROWS + b"4,oak\n", {"column_1": [4.5, 7, 8, 4], "column_2": ["fir", "oak", "fir", "oak"]},
        {"header": "header=false"},
    ),
    "no header and only numbers": Written(
        b"1.5,2\n2.5,1\n0.5,3\n", {"column_1": [1.5, 2.5, 0.5], "column_2": [2, 1, 3]}, {"header": "header=false"}
    ),
    "no header and only words": Written(
        b"a,x\nb,y\na,y\nb,x\na,x\nb,x\n", {"column_1": list("ababab"), "column_2": list("xyyxxx")},
        {"header": "header=false"},
    ),
    "places as names, beside an index": Written(
        b",0,1\n0,0.5,3\n1,-0.5,0\n", {"0": [0.5, -0.5], "1": [3, 0]}, {"index": "index=drop"}
    ),
    "places as names": Written(
        b"0,1,2\n0.5,3,1\n-0.5,0,5\n", {"0": [0.5, -0.5], "1": [3, 0], "2": [1, 5]}
    ),
    "places as names, beside words": Written(
        b"who,1,2,3\nAnn,0.5,2,1\nBob,3,1,4\n", {"who": ["Ann", "Bob"], "1": [0.5, 3], "2": [2, 1], "3": [1, 4]}
    ),
    "days as names": Written(
        b"land,2020-01-01,2020-01-02\nPeru,5,7\nMali,6,8\n",
        {"land": ["Peru", "Mali"], "2020-01-01": [5, 6], "2020-01-02": [7, 8]},
    ),
    "no header, a label and a text": Written(
        b"ham\tsee you\nspam\twin now\nham\tok then\nspam\tfree prize\nham\tall right\n",
        {
            "column_1": ["ham", "spam", "ham", "spam", "ham"],
            "column_2": ["see you", "win now", "ok then", "free prize", "all right"],
        },
        {"header": "header=false", "delimiter": "delimiter=tab"},
    ),
    "a number as a name, above words": Written(b"7\nfir\noak\nash\n", {"7": ["fir", "oak", "ash"]}),
    "a number as a name, above days": Written(
        b"who,2\nfir,2024-02-11\noak,2024-12-27\noak,2024-09-08\n",
        {"who": ["fir", "oak", "oak"], "2": ["2024-02-11", "2024-12-27", "2024-09-08"]},
    ),
    "a number as a name, above fractions": Written(
        b"who,1\nfir,-2.5\noak,3.25\noak,0.5\n", {"who": ["fir", "oak", "oak"], "1": [-2.5, 3.25, 0.5]}
    ),
    "no header, with days": Written(
        b"2024-02-11,7\n2024-12-27,9\n2024-09-08,5\n",
        {"column_1": ["2024-02-11", "2024-12-27", "2024-09-08"], "column_2": [7, 9, 5]},
        {"header": "header=false"},
    ),
    "years as names": Written(
        b"land,2019,2020\nPeru,5.5,7\nMali,6,8\n", {"land": ["Peru", "Mali"], "2019": [5.5, 6], "2020": [7, 8]}
    ),
    "units of days": Written(
        b"day,size,kind\nyyyy-mm-dd,degC,\n2024-01-01,4.5,fir\n2024-01-03,7,oak\n2024-01-02,8,fir\n",
        {"day": ["2024-01-01", "2024-01-03", "2024-01-02"], **TABLE}, {"units": "units=drop"},
    ),
    "decimal commas that count": Written(
        b"size;kind\n1,5;fir\n2,5;oak\n3,5;fir\n", {"size": [1.5, 2.5, 3.5], "kind": TABLE["kind"]},
        {"delimiter": "delimiter=semicolon"},
    ),
    "units": Written(b"size,kind\ncm,\n" + ROWS, TABLE, {"units": "units=drop"}),
    "an index of pandas": Written(
        b",size,kind\n0,4.5,fir\n1,7,oak\n2,8,fir\n", TABLE, {"index": "index=drop"}
    ),
    "an index of pandas, written twice": Written(
        b"Unnamed: 0,size,kind\n7,4.5,fir\n1,7,oak\n2,8,fir\n", TABLE, {"index": "index=drop"}
    ),
    "row names of R": Written(
        b'"size","kind"\n"1",4.5,"fir"\n"2",7,"oak"\n"3",8,"fir"\n', TABLE, {"index": "index=drop"}
    ),
    "row names of R that are names": Written(
        b'"size","kind"\n"Ann",4.5,"fir"\n"Bob",7,"oak"\n"Eve",8,"fir"\n',
        {"column_1": ["Ann", "Bob", "Eve"], **TABLE}, {"name": "index=keep"},
    ),
    "a delimiter at the end of rows": Written(
        b"size,kind\n" + ROWS.replace(b"\n", b",\n"), TABLE, {"trailing delimiter": ""}
    ),
    "a delimiter at the end of all lines": Written(
        b"size,kind,\n" + ROWS.replace(b"\n", b",\n"), TABLE, {"trailing delimiter": ""}
    ),
    "a delimiter at the end of the header": Written(b"size,kind,\n" + ROWS, TABLE, {"trailing delimiter": ""}),
    "the header once more": Written(
        b"size,kind\r\n4.5,fir\r\nsize,kind\r\n7,oak\r\n8,fir\r\nsize,kind\r\n", TABLE, {"repeated header": ""}
    ),
    "the header once more, with a mark and other line ends": Written(
        b"\xef\xbb\xbfsize,kind\r\n4.5,fir\r\n\xef\xbb\xbfsize,kind\n7,oak\n8,fir\n", TABLE, {"repeated header": ""}
    ),
    "a word that is the name of its column": Written(b"kind\nfir\nkind\noak\n", {"kind": ["fir", "kind", "oak"]}),
    "quotes that a backslash escapes": Written(
        b'w,n\n"a \\"b\\"",1\n"c\\, d",2\n\\N,3\n', {"w": ['a "b"', "c, d", None], "n": [1, 2, 3]},
        {"escape": "escape=backslash"},
    ),
    "names with white space": Written(
        b'"size\n(in  cm)","\xef\xbb\xbfkind\xc2\xa0of\xe2\x80\x8b tree"\n' + ROWS,
        {"size (in cm)": TABLE["size"], "kind of tree": TABLE["kind"]},
    ),
    "a question as a name": Written(b"size," + b"why " * 40 + b"\n" + ROWS, {
        "size": TABLE["size"], ("why " * 40).strip(): TABLE["kind"]
    }),
    "a line separator within a word": Written(
        "w,n\na\u2028b,1\nc\x0bd\x85,2\n".encode(), {"w": ["a\u2028b", "c\x0bd"], "n": [1, 2]}
    ),
    "UTF-8 with a mark": Written(ROAD_TEXT.encode("utf-8-sig"), ROAD),
    "UTF-16": Written(ROAD_TEXT.encode("utf-16"), ROAD),
    "UTF-16, big end first": Written(b"\xfe\xff" + ROAD_TEXT.encode("utf-16-be"), ROAD),
    "UTF-16 without a mark": Written(ROAD_TEXT.encode("utf-16-le"), ROAD, {"encoding": "encoding=utf-16-le"}),
    "UTF-32": Written(ROAD_TEXT.encode("utf-32"), ROAD),
    "Windows-1252": Written(ROAD_TEXT.encode("cp1252"), ROAD, {"encoding": "encoding=windows-1252"}),
    "Windows-1250": Written(
        "miasto,n\nŁódź,1\nPoznań,2\nŁódź,3\n".encode("cp1250"),
        {"miasto": ["Łódź", "Poznań", "Łódź"], "n": [1, 2, 3]}, {"encoding": "encoding=windows-1250"},
    ),
    "Windows-1251": Written(
        "город,n\nМосква,1\nТверь,2\nМосква,3\n".encode("cp1251"),
        {"город": ["Москва", "Тверь", "Москва"], "n": [1, 2, 3]}, {"encoding": "encoding=windows-1251"},
    ),
    "Shift JIS": Written(
        "都市,n\n東京,1\n大阪,2\n東京,3\n".encode("shift_jis"),
        {"都市": ["東京", "大阪", "東京"], "n": [1, 2, 3]}, {"encoding": "encoding=shift_jis"},
    ),
    "lines that end in carriage returns": Written(b"size,kind\r" + ROWS.replace(b"\n", b"\r"), TABLE),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_as_it_is_meant_and_what_was_guessed_is_said(tmp_path, name):
    written = FILES[name]
    columns, guesses = read(tmp_path, written.content)
    assert columns == written.columns
    assert {guess.what: guess.settle for guess in guesses} == written.guesses


@pytest.mark.parametrize("name", [name for name, written in FILES.items() if any(written.guesses.values())])
def test_an_option_settles_a_guess(tmp_path, name):
    written = FILES[name]
    for what, settle in written.guesses.items():
        if not settle:
            continue
        option, _, value = settle.partition("=")
        columns, guesses = read(tmp_path, written.content, **{option: value})
        assert columns == written.columns
        assert what not in {guess.what for guess in guesses}


@pytest.mark.parametrize("name", [name for name in FILES if "no header" not in name])
def test_a_body_to_predict_is_read_as_an_upload_is(name):
    written = FILES[name]
    found = read_cells(written.content)
    assert found.names == list(written.columns)
    numbers = {name for name, values in written.columns.items() if isinstance(values[0], float | int)}
    for place, (column, values) in enumerate(written.columns.items()):
        cells = [row[place].strip() for row in found.rows]
        if column in numbers:
            assert [float(cell.replace(",", ".")) for cell in cells] == values
        else:
            assert [None if cell == "\\N" else cell for cell in cells] == values
    first = written.content.count(b"\n", 0, 0) + 1
    assert all(later > earlier >= first for earlier, later in zip(found.lines, found.lines[1:], strict=False))


REFUSED = {
    "lines in quotes": (b'"a,b,c"\n"1,2,x"\n"3,4,y"\n', "line 1 and those below stand in quotes as a whole"),
    "an encoding of old Macs": ("ort,n\nGroß,1\nSüß,2\nWeiß,3\n".encode("mac_roman"), "not UTF-8.*encoding="),
    "a page of HTML": (b"\n<!DOCTYPE html>\n<html><body>Sign in</body></html>\n", "HTML"),
    "JSON": (b'[{"a": 1},\n {"a": 2}]', "application/json"),
    "Parquet": (b"PAR1\x15\x04", "parquet"),
    "one line without its ends": (b"size,kind4.5,fir7,oak8,fir", "--data-binary"),
    "a row with a delimiter in a cell": (
        b"size,kind\n4,fir\n5,oak, old\n6,fir\n", "line 3 has 3 cells.*delimiter within"
    ),
    "a total": (b"size,kind,n\n4,fir,1\n5,oak,2\nTotal: 9\n", "line 4 has 1 cells.*total"),
    "a row that is cut": (b"size,kind,n\n4,fir,1\n5,oak\n6,fir,3\n", "line 3 has 2 cells.*cut short"),
    "a delimiter at the end of one row": (
        b"size,kind\n4,fir\n5,oak,\n6,fir\n", "line 3 has 3 cells.*its last cell is empty"
    ),
    "a value below no name": (b"a,b,\n1,2,\n" + b"3,4,\n" * 300 + b"5,6,7\n", "line 303 has '7' in column 3"),
    "a backslash far down": (b'w,n\n' + b'"a",1\n' * 300 + b'"b \\"c\\"",1\n', "line 302.*escape=backslash"),
    "a NUL byte": (b"size,kind\n4,fir\n5,o\x00k\n", "NUL byte in line 3"),
    "numbers that may be names": (b"1,2\n3,4\n5,6\n", "header=true"),
    "one byte that is no letter": (b"a,b\n1,\xff\n2,3\n", "encoding=windows-1252"),
    "two columns of a name": (b"a,b,a\n1,2,3\n4,5,6\n", "two columns are named 'a', 1 and 3"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_with_what_to_do(tmp_path, name):
    content, says = REFUSED[name]
    with pytest.raises(DataError, match=says) as caught:
        read(tmp_path, content)
    assert len(str(caught.value)) < 400


OPTIONS = {
    "a header that looks like data": (b"5,a\n4,a\n6,b\n", {"header": "true"}, {"5": [4, 6], "a": ["a", "b"]}),
    "no header after all": (b"a,b\nc,d\n", {"header": "false"}, {"column_1": ["a", "c"], "column_2": ["b", "d"]}),
    "the header's line": (b"x,y\nz,w\na,b\n1,2\n3,4\n", {"header": "3"}, {"a": [1, 3], "b": [2, 4]}),
    "a delimiter": (b"a:b\n1:2\n3:4\n", {"delimiter": ":"}, {"a": [1, 3], "b": [2, 4]}),
    "a delimiter that is not there": (b"a,b\nx,1\ny,2\n", {"delimiter": "tab"}, {"a,b": ["x,1", "y,2"]}),
    "an encoding": ("a,b\nż,1\nż,2\n".encode("iso-8859-2"), {"encoding": "ISO-8859-2"}, {"a": ["ż", "ż"], "b": [1, 2]}),
    "comments": (b"% no\na,b\n1,2\n% no\n3,4\n", {"comment": "%"}, {"a": [1, 3], "b": [2, 4]}),
    "no comments": (b"# no\n#a\nx\n", {"comment": "none"}, {"# no": ["#a", "x"]}),
    "an index that is kept": (b",a\n0,5\n1,6\n", {"index": "keep"}, {"column_1": [0, 1], "a": [5, 6]}),
    "units that are data": (b"a,b\ncm,\n1,2\n3,4\n", {"units": "keep"}, {"a": ["cm", "1", "3"], "b": [None, 2, 4]}),
    "words for what is missing": (
        b"a,b\nx,NA\nunknown,y\n", {"missing": "Unknown,?"}, {"a": ["x", None], "b": ["NA", "y"]}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_is_heeded(tmp_path, name):
    content, options, expected = OPTIONS[name]
    assert read(tmp_path, content, **options) == (expected, ())


@pytest.mark.parametrize(
    ("option", "value"),
    [("header", "0"), ("header", "maybe"), ("delimiter", "ab"), ("delimiter", '"'), ("encoding", "klingon"),
     ("encoding", "idna"), ("encoding", "zip"), ("index", "x"), ("units", "x"), ("escape", "/")],
)  # fmt: skip
def test_an_option_that_means_nothing_is_refused(option, value):
    with pytest.raises(ValueError, match=option):
        CsvOptions.model_validate({option: value})


def test_the_delimiter_that_a_media_type_names_is_no_guess(tmp_path):
    tabs, commas = tmp_path / "tabs", tmp_path / "commas"
    tabs.write_bytes(b"size\tkind\n" + ROWS.replace(b",", b"\t"))
    commas.write_bytes(b"size,kind\n" + ROWS)
    for path, known, guesses in (
        (tabs, "text/tab-separated-values", []),
        (commas, "text/tab-separated-values", ["delimiter=comma"]),
        (tabs, "text/csv", ["delimiter=tab"]),
        (commas, "text/csv", []),
    ):
        found = format_of(known).incoming(path)["all"]
        assert list(found.types) == ["size", "kind"]
        assert [guess.settle for guess in found.guesses] == guesses


def test_a_header_of_another_file_in_a_later_block_is_left_out_and_its_line_is_named(tmp_path):
    columns, guesses = read(tmp_path, b"n,word\n" + b"1,abc\n" * 400_000 + b"n,word\n" + b"2,abd\n" * 9)
    assert len(columns["n"]) == 400_009
    assert [guess.lines for guess in guesses] == [(400_002,)]


def test_an_encoding_is_read_the_same_in_blocks(tmp_path):
    text = "wort,n\n" + "".join(f"größe {n % 7},{n}\n" for n in range(120_000))
    columns, _ = read(tmp_path, text.encode("utf-16"))
    assert columns == read(tmp_path, text.encode())[0]
    columns, guesses = read(tmp_path, text.encode("iso-8859-1"))
    assert columns["wort"][:2] == ["größe 0", "größe 1"] and guesses[0].lines == (2, 3, 4)


def is_read(folder: Path, content: bytes) -> bool:
    """Whether a file can be read, with nothing left beside it; nothing but DataError says that it cannot."""
    try:
        columns, guesses = read(folder, content)
        assert min(map(len, columns.values())) >= 2
        assert all(len(guess.detail) < 400 for guess in guesses)
    except DataError as error:
        assert len(str(error)) < 400
        return False
    finally:
        assert [path.name for path in folder.iterdir()] == ["uploaded"]
    return True


def cells(content: bytes) -> None:
    """Read as rows to predict; each is as long as the header, or nothing but DataError says what is wrong."""
    try:
        found = read_cells(content)
    except DataError:
        return
    assert all(len(row) == len(found.names) for row in found.rows) and len(found.lines) == len(found.rows)


CONTENTS = [written.content for written in FILES.values()]


@settings(max_examples=16 * settings().max_examples)
@given(st.sampled_from(CONTENTS), st.integers(0, 2**32))
def test_a_damaged_file_of_any_kind_is_read_or_refused(new_folder, content, seed):
    content = damaged(content, Random(seed))  # noqa: S311
    is_read(new_folder(), content)
    cells(content)


@pytest.mark.parametrize("cells", [["0", "a"], ["", "0", "a"], ["a", "a", "b"]], ids=str)
def test_a_cell_of_a_lone_column_may_be_its_name(tmp_path, cells):
    path = tmp_path / "lone.csv"
    path.write_text("a\n" + "".join(f'"{cell}"\n' for cell in cells))
    table = CsvFormat().read(path).training
    assert table.values("a") == [cell or None for cell in cells]


@pytest.mark.fuzz
def test_twenty_thousand_damaged_files_are_read_or_refused_in_bounded_memory(tmp_path):
    assert 1000 < read_of(CONTENTS, lambda content: is_read(tmp_path, content), 20_000) < 19_000
