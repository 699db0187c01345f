"""A sheet becomes the table that its cells show; what is damaged, hostile or no table is refused."""

import io
import tracemalloc
import zipfile
from datetime import date, datetime, time, timedelta

import openpyxl
import pytest

from engine.data import ReadLimits
from engine.data.formats.excel.excel_format import ExcelFormat
from engine.errors import DataError

HEAD = ["size", "kind", "day"]
ROWS = [[31.5, "oak", date(2024, 1, 31)], [None, "elm", date(2024, 2, 29)], [42, None, None]]
TABLE = {
    "size": ("number", [31.5, None, 42]),
    "kind": ("category", ["oak", "elm", None]),
    "day": ("text", ["2024-01-31", "2024-02-29", None]),
}


def workbook(path, **sheets):
    """A workbook of some sheets, each a list of rows."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def read(path, **options):
    incoming = ExcelFormat(**options).incoming(path)["all"]
    table = incoming.table()
    values = {name: (table.types[name].kind, table.values(name)) for name in table.columns}
    return values, [guess.detail for guess in incoming.guesses]


def test_cells_are_read_by_their_types(tmp_path):
    rows = [
        ["size", 2024, "truth", "when", "clock", "long", "mark", "digits"],
        [31.5, 1, True, datetime(2024, 1, 31, 6, 5), time(6, 5), timedelta(hours=30), "n/a", "007"],
        [None, 2, False, date(2024, 2, 29), None, timedelta(seconds=1.5), "#N/A", "12"],
        ["NA", 3, None, None, time(23), None, "x", " "],
    ]
    values, guesses = read(workbook(tmp_path / "t.xlsx", only=rows))
    assert values == {
        "size": ("number", [31.5, None, None]), "2024": ("number", [1, 2, 3]),
        "truth": ("boolean", [True, False, None]),
        "when": ("text", ["2024-01-31 06:05:00", "2024-02-29", None]),
        "clock": ("text", ["06:05:00", None, "23:00:00"]),
        "long": ("number", [108000, 1.5, None]), "mark": ("category", [None, None, "x"]),
        "digits": ("category", ["007", "12", None]),
    }  # fmt: skip
    assert guesses == ["column 'long' holds durations; they are read as numbers of seconds"]


def test_errors_and_formulas_without_a_value_are_missing(tmp_path):
    book = openpyxl.Workbook()
    for row in (["a", "b"], ["#DIV/0!", 1], ["=1/0", 2], [5, 3]):
        book.active.append(row)
    book.active["A2"].data_type = "e"
    book.save(tmp_path / "t.xlsx")
    assert read(tmp_path / "t.xlsx")[0]["a"] == ("number", [None, None, 5])


FRAMED = {
    "a title": (
        [["Trees of 2024"], [], HEAD, *ROWS],
        ["'Trees of 2024' was passed over as a title above the header, which is row 3"],
    ),
    "two lines of title": (
        [["Trees"], ["measured by hand"], HEAD, *ROWS],
        ["'Trees' was passed over as a title above the header, which is row 3"],
    ),
    "blank rows and columns around": ([[], [None, None], *([None, *row] for row in [HEAD, *ROWS])], []),
    "blank rows between": ([HEAD, ROWS[0], [None], *ROWS[1:], []], []),
    "an index": (
        [[None, *HEAD], *([n, *row] for n, row in enumerate(ROWS))],
        ["column 1 has no name and holds row numbers; it was left out"],
    ),
    "an index of pandas": ([["Unnamed: 0", *HEAD], *([n, *row] for n, row in enumerate(ROWS))], ["holds row numbers"]),
    "an index from 1": ([[None, *HEAD], *([n, *row] for n, row in enumerate(ROWS, 1))], ["holds row numbers"]),
    "a blank column": ([[*HEAD[:2], None, HEAD[2]], *([*row[:2], None, row[2]] for row in ROWS)], []),
    "units": ([HEAD, ["cm", None, None], *ROWS], ["row 2 holds units ('cm') and was left out"]),
    "the header again": (
        [HEAD, ROWS[0], HEAD, *ROWS[1:]],
        ["the header stands in the sheet once more, first in row 3"],
    ),
    "line breaks in names": ([[" size\n", "kind", "day\t"], *ROWS], []),
}


@pytest.mark.parametrize("name", FRAMED)
def test_what_stands_around_a_table_is_left_out_and_said(tmp_path, name):
    rows, said = FRAMED[name]
    values, guesses = read(workbook(tmp_path / "t.xlsx", only=rows))
    assert values == TABLE
    assert len(guesses) == len(said) and all(part in guess for part, guess in zip(said, guesses, strict=True))


def test_a_column_without_a_name_is_called_by_its_place(tmp_path):
    values, guesses = read(workbook(tmp_path / "t.xlsx", only=[["a", None], [1, "x"], [2, None], [3, "y"]]))
    assert values["column_2"] == ("category", ["x", None, "y"])
    assert guesses == ["a column has no name, and is called 'column_2'"]


def test_what_is_guessed_can_be_settled(tmp_path):
    path = workbook(tmp_path / "t.xlsx", only=[["notes", "b"], ["a", "b"], [1, -9], ["?", 2], [3, 4]])
    assert read(path, header=2, missing="-9")[0] == {"a": ("category", ["1", "?", "3"]), "b": ("number", [None, 2, 4])}
    path = workbook(tmp_path / "t.xlsx", only=[[None, "a"], [0, "x"], [1, "y"]])
    assert read(path, index="keep")[0] == {"column_1": ("number", [0, 1]), "a": ("category", ["x", "y"])}
    path = workbook(
        tmp_path / "t.xlsx", only=[[5.1, "setosa"], [4.9, "setosa"], [6.3, "virginica"], [5.8, "virginica"]]
    )
    headless = {
        "column_1": ("number", [5.1, 4.9, 6.3, 5.8]), "column_2": ("category", ["setosa"] * 2 + ["virginica"] * 2),
    }  # fmt: skip
    values, guesses = read(path)
    assert values == headless and "row 1 looks like data ('5.1, setosa')" in guesses[0]
    assert read(path, header="false") == (headless, []) and list(read(path, header=True)[0]) == ["5.1", "setosa"]
    with pytest.raises(DataError, match="header=9 names row 9"):
        read(path, header=9)


def test_the_first_sheet_with_cells_is_read_or_the_one_that_is_asked_for(tmp_path):
    path = workbook(tmp_path / "t.xlsx", notes=[], trees=[HEAD, *ROWS], shrubs=[["n"], [1], [2]])
    values, guesses = read(path)
    assert values == TABLE and guesses == ["'trees' is the sheet that was read, of 3"]
    assert ExcelFormat().incoming(path)["all"].guesses[0].settle == "sheet=notes"
    book = openpyxl.load_workbook(path)
    book["trees"].sheet_state = "hidden"
    book.save(tmp_path / "hidden.xlsx")
    assert read(tmp_path / "hidden.xlsx")[0] == {"n": ("number", [1, 2])}
    assert read(path, sheet="shrubs") == ({"n": ("number", [1, 2])}, [])
    with pytest.raises(DataError, match=r"there is no sheet 'shrub'.*'shrubs'"):
        read(path, sheet="shrub")


def test_long_sheets_are_read_batch_by_batch_and_errors_name_their_row(tmp_path):
    rows = [["n", "w"], *([n, f"w{n % 3}"] for n in range(20_000))]
    values, _ = read(workbook(tmp_path / "t.xlsx", only=rows))
    assert values == {"n": ("number", list(range(20_000))), "w": ("category", [f"w{n % 3}" for n in range(20_000)])}


def test_whole_numbers_that_a_sheet_rounds_are_said(tmp_path):
    _, guesses = read(workbook(tmp_path / "t.xlsx", only=[["id"], [2**60], [2**60 + 1]]))
    assert "'id' holds whole numbers beyond ±2⁵³, which a sheet keeps to 15 digits only" in guesses[0]


REFUSED = {
    "only numbers": ([[1, 2], [3, 4], [5, 6]], "row 1 holds only numbers, such as '1'; send header=true"),
    "a name twice": ([["a", "a"], [1, 2], [3, 4]], "two columns are named 'a'"),
    "one row": ([["a", "b"], [1, 2]], "the file has 1 rows"),
    "no cells": ([[]], "holds no cells"),
    "many columns": ([[f"c{n}" for n in range(30)]] * 3, "the sheet has 30 columns; at most 20 are allowed"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_table_is_refused_with_a_sentence(tmp_path, name):
    rows, sentence = REFUSED[name]
    path = workbook(tmp_path / "t.xlsx", only=rows)
    with pytest.raises(DataError, match=sentence):
        ExcelFormat().read(path, ReadLimits(max_features=20))
    assert list(tmp_path.iterdir()) == [path]


ODS = """<?xml version="1.0"?><office:document-content
 xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0">
 <office:body><office:spreadsheet><table:table table:name="one">{}</table:table></office:spreadsheet></office:body>
</office:document-content>"""


def test_a_sheet_of_opendocument_is_read_as_well(tmp_path):
    def row(*cells):
        return f"<table:table-row>{''.join(cells)}</table:table-row>"

    def text(word):
        return f'<table:table-cell office:value-type="string"><text:p>{word}</text:p></table:table-cell>'

    def number(value):
        return f'<table:table-cell office:value-type="float" office:value="{value}"/>'

    rows = row(text("n"), text("w")) + row(number(1.5), text("x")) + row(number(2), text("y"))
    with zipfile.ZipFile(tmp_path / "t.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", ODS.format(rows))
        archive.writestr(
            "META-INF/manifest.xml",
            '<?xml version="1.0"?><manifest:manifest '
            'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"></manifest:manifest>',
        )
    assert read(tmp_path / "t.ods")[0] == {"n": ("number", [1.5, 2]), "w": ("category", ["x", "y"])}


def with_parts(path, **contents):
    """The workbook with other texts for some of its parts, by their paths."""
    raw = io.BytesIO(path.read_bytes())
    with zipfile.ZipFile(raw) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in {*source.namelist(), *contents}:
            target.writestr(name, contents.get(name) or source.read(name))
    return path


NAMESPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def cells(*places):
    """A sheet that holds the first shared text in the first cell, and the second one in others."""
    rows = {place.strip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"): place for place in places}
    made = "".join(
        f'<row r="{row}"><c r="{place}" t="s"><v>{int(row > "1")}</v></c></row>' for row, place in rows.items()
    )
    return f"<worksheet {NAMESPACE}><sheetData>{made}</sheetData></worksheet>"


def texts(*words):
    return f"<sst {NAMESPACE}>{''.join(f'<si><t>{word}</t></si>' for word in words)}</sst>"


@pytest.mark.parametrize(
    ("places", "length", "sentence"),
    [
        (["A1", "XFD1048576"], 1, "within a gigabyte"),
        (["A1", "A2", "A3"], 50_000_000, "row 2 holds a text of 50000000 characters; at most 1048576 are read"),
        (["A1", *(f"A{row}" for row in range(2, 2000))], 1_000_000, "within a gigabyte|more than 1024 MB of text"),
    ],
)
def test_a_few_bytes_that_stand_for_gigabytes_are_refused(tmp_path, places, length, sentence):
    path = workbook(tmp_path / "t.xlsx", only=[HEAD, *ROWS])
    shared = texts("a", "b" * length)
    with_parts(path, **{"xl/worksheets/sheet1.xml": cells(*places), "xl/sharedStrings.xml": shared})
    assert path.stat().st_size < 1 << 20
    tracemalloc.start()
    with pytest.raises(DataError, match=sentence):
        ExcelFormat().read(path)
    assert tracemalloc.get_traced_memory()[1] < 60 << 20
    tracemalloc.stop()


def test_what_is_no_workbook_is_refused(tmp_path):
    whole = workbook(tmp_path / "t.xlsx", only=[HEAD, *ROWS]).read_bytes()
    for content in (
        b"",
        b"a,b\n1,2\n3,4\n",
        b"PK\3\4" * 9,
        whole[:-50],
        whole[: len(whole) // 2],
        b"\xd0\xcf\x11\xe0" * 99,
    ):
        (tmp_path / "t.xlsx").write_bytes(content)
        with pytest.raises(DataError, match="workbook cannot be read"):
            ExcelFormat().read(tmp_path / "t.xlsx")
