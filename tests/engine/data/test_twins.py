"""The same cells make the same column, whatever kind of file they come in."""

import csv
import json

import openpyxl
from arro3.core import Array, DataType, RecordBatch
from arro3.io import write_parquet
from hypothesis import given
from hypothesis import strategies as st

from engine.data import CsvFormat
from engine.data.column_types import CategoryType, TextType
from engine.data.formats.excel.excel_format import ExcelFormat
from engine.data.formats.json.json_format import JsonFormat
from engine.data.formats.parquet.parquet_format import ParquetFormat
from engine.data.reading.cell_values import MISSING

KINDS = [
    ["1", "2.5", "-3", "0", "1e5", "12"], ["1,5", "2,25", "-3,0"], ["$1,200", "$35.5", "$7"], ["12%", "3.5%"],
    ["007", "12", "013"], ["true", "False", "TRUE"], ["yes", "no", "maybe"], ["2024-01-05", "2023-11-30", "2024-02-29"],
    ["1e2641", "9535e6", "12"], ["9007199254740993", "9007199254740995", "5"], ["x", "y y", "Z"], ["1", "x", "2"],
]  # fmt: skip
MISSING_CELLS = ["", " ", "NA", "null", "-", "n/a"]


@st.composite
def columns(draw):
    kind = draw(st.sampled_from(KINDS))
    some = st.sampled_from(kind + draw(st.sampled_from([[], MISSING_CELLS[:2], MISSING_CELLS])))
    return draw(st.lists(some, min_size=2, max_size=30))


def files(folder, cells):
    with (folder / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["column", "n"], *([cell, n] for n, cell in enumerate(cells))])
    (folder / "t.json").write_text(json.dumps([{"column": cell} for cell in cells]))
    write_parquet(RecordBatch.from_pydict({"column": Array(cells, DataType.string())}), folder / "t.parquet")
    book = openpyxl.Workbook()
    for row in [["column", "n"], *([cell, n] for n, cell in enumerate(cells))]:
        book.active.append(row)
    book.save(folder / "t.xlsx")
    formats = (CsvFormat(header=True), JsonFormat(), ParquetFormat(), ExcelFormat(header=True))
    for form, ending in zip(formats, ("csv", "json", "parquet", "xlsx"), strict=True):
        yield ending, form.read(folder / f"t.{ending}").training


@given(cells=columns())
def test_the_same_texts_make_the_same_column(new_folder, cells):
    (_, expected), *others = files(new_folder(), cells)
    words = isinstance(expected.types["column"], CategoryType | TextType)
    for ending, table in others:
        if words and ending != "xlsx" and any(cell.strip().lower() in MISSING and cell.strip() for cell in cells):
            assert table.values("column") == [cell.strip() or None for cell in cells]  # words, where there is null
            continue
        if any(value is not None for value in expected.values("column")):  # of nothing, there is no kind
            assert table.types["column"].kind == expected.types["column"].kind, ending
        assert table.values("column") == expected.values("column"), ending
