"""CSV on both sides of a prediction: rows that come as text under a header, answers that go out as columns."""

import csv
import io
from collections.abc import Iterator

from engine import DataError
from engine.answer_columns import Columns, cells
from engine.data.encoding.encoders import TensorEncoder
from engine.data.encoding.preprocessor import Preprocessor
from engine.data.formats.csv_format import check_names
from engine.data.formats.csv_text import SNIFFED, Dialect


def read_rows(body: bytes, preprocessor: Preprocessor, most: int) -> list[dict[str, str]]:
    """Rows keyed by the header, every cell as it stands: the model knows how to read it; raises DataError."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"the body is not UTF-8: byte {error.start} is 0x{body[error.start]:02x}") from error
    if "\0" in text:
        raise DataError("the body holds a NUL byte: it is binary, or UTF-16")
    lines = io.StringIO(text, newline=None).readlines()  # only CR and LF end lines
    dialect = Dialect.sniffed([line.rstrip("\r\n") for line in lines[:SNIFFED]])
    reader = csv.reader(lines, delimiter=dialect.delimiter, skipinitialspace=True, strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        if not names:
            raise DataError("the body is empty; send a header row with the names of the features, and rows below it")
        check_names(names)
        _refuse_arrays(names, preprocessor)
        return list(_rows(reader, names, most))
    except csv.Error as error:
        raise DataError(f"line {reader.line_num} is not CSV: {error}; check its quotes") from error


def write_columns(columns: Columns) -> bytes:
    """RFC 4180 with a header; a number as the shortest text that is read as the same float32 again."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(zip(*(cells(column) for column in columns.values()), strict=True))
    return text.getvalue().encode()


def _refuse_arrays(names: list[str], preprocessor: Preprocessor) -> None:
    arrays = [encoder.name for encoder in preprocessor.encoders if isinstance(encoder, TensorEncoder)]
    if arrays:
        raise DataError(f"{arrays[0]!r} takes an array, which no cell of CSV holds; send JSON or raw float32")
    if not set(names) & preprocessor.shapes.keys():
        known = ", ".join(map(repr, list(preprocessor.shapes)[:10]))
        raise DataError(
            f"the header names none of the model's features, which are {known}; begin with a row of their names"
        )


def _rows(reader: Iterator[list[str]], names: list[str], most: int) -> Iterator[dict[str, str]]:
    number = 0
    for row in reader:
        if not row:
            continue
        if len(row) != len(names):
            raise DataError(f"row {number} has {len(row)} cells, but the header names {len(names)} columns")
        if number == most:
            raise DataError(f"the body has more than the {most} rows allowed; use batch-predictions for more")
        yield dict(zip(names, row, strict=True))
        number += 1
    if not number:
        raise DataError("the body has a header and no rows")
