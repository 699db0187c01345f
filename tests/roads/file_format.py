"""Rows as a file: CSV in any dialect, JSON, NDJSON or Parquet."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from openpyxl import Workbook

from tests.roads.cell import Cell
from tests.roads.column import Column, NumberColumn, TruthColumn

Row = Mapping[str, Cell]
EXACT = 2**53
Format = Literal["csv", "json", "ndjson", "parquet", "xlsx"]
MEDIA_TYPES: Mapping[Format, str] = {
    "csv": "text/csv",
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@dataclass(frozen=True)
class Dialect:
    """How a program writes CSV."""

    delimiter: str
    quoting: Literal[0, 1]  # csv.QUOTE_MINIMAL, csv.QUOTE_ALL
    line_end: str
    mark: bool  # of the byte order, which is no part of the first name
    last_end: bool

    @classmethod
    def drawn(cls, random: Random) -> "Dialect":
        return cls(
            random.choice(",;\t|"),
            random.choice((0, 0, 1)),
            random.choice(("\n", "\n", "\r\n")),
            random.random() < 0.2,
            random.random() < 0.8,
        )

    def write(self, names: Sequence[str], rows: Sequence[Row]) -> bytes:
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=self.delimiter, quoting=self.quoting, lineterminator=self.line_end)
        writer.writerow(names)
        writer.writerows([row[name].text for name in names] for row in rows)
        whole = text.getvalue() if self.last_end else text.getvalue().removesuffix(self.line_end)
        return whole.encode("utf-8-sig" if self.mark else "utf-8")


def write_rows(form: Format, columns: Sequence[Column], rows: Sequence[Row], random: Random, *, typed: bool) -> bytes:
    """A file of rows; what JSON and Parquet have types for is of that type, or else text as in CSV."""
    names = [column.name for column in columns]
    if form == "csv":
        return Dialect.drawn(random).write(names, rows)
    if form == "parquet":
        return _parquet(columns, rows, typed=typed)
    if form == "xlsx":
        return _workbook(columns, rows, typed=typed)
    objects = [{column.name: _value(column, row[column.name], typed=typed) for column in columns} for row in rows]
    if form == "json":
        return json.dumps(objects, ensure_ascii=random.random() < 0.5).encode()
    return "\n".join(json.dumps(one, ensure_ascii=False) for one in objects).encode()


def _value(column: Column, cell: Cell, *, typed: bool) -> object:
    if not typed:
        return cell.text
    if isinstance(column, NumberColumn) and not column.is_plain and cell.plain is not None:
        return cell.text
    return cell.plain


def _workbook(columns: Sequence[Column], rows: Sequence[Row], *, typed: bool) -> bytes:
    """A sheet, whose numbers are float64."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append([column.name for column in columns])
    for row in rows:
        values = [_value(column, row[column.name], typed=typed) for column in columns]
        cells = zip(columns, values, strict=True)
        sheet.append([row[c.name].text if type(v) is int and abs(v) > EXACT else v for c, v in cells])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _parquet(columns: Sequence[Column], rows: Sequence[Row], *, typed: bool) -> bytes:
    from arro3.core import Array, DataType, Table
    from arro3.io import write_parquet

    def array(column: Column) -> Array:
        cells = [row[column.name] for row in rows]
        values = [_value(column, cell, typed=typed) for cell in cells]
        if typed and all(cell.fate != "unreadable" for cell in cells):
            if isinstance(column, NumberColumn) and column.is_plain:
                return Array([None if value is None else float(str(value)) for value in values], DataType.float64())
            if isinstance(column, TruthColumn):
                return Array([None if value is None else bool(value) for value in values], DataType.bool())
        texts = [None if value is None else cell.text for value, cell in zip(values, cells, strict=True)]
        return Array(texts, DataType.string())

    file = io.BytesIO()
    write_parquet(Table.from_arrays([array(column) for column in columns], names=[c.name for c in columns]), file)
    return file.getvalue()
