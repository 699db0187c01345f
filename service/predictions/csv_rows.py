"""CSV on both sides of a prediction: rows that come as text under a header, answers that go out as columns."""

import csv
import io
from collections.abc import Iterator

from pydantic import JsonValue

from engine import DataError
from engine.answer_columns import Columns, cells
from engine.data.encoding.cells import typed
from engine.data.encoding.preprocessor import Preprocessor
from engine.data.formats.csv_format import check_names
from engine.data.formats.csv_text import SNIFFED, Dialect
from engine.json_pointer import pointer
from engine.spelling import did_you_mean
from service.http.problems import MOST_FAULTS, Fault, RequestRefused, summary


def read_rows(body: bytes, preprocessor: Preprocessor, most: int) -> list[dict[str, JsonValue]]:
    """Rows keyed by the header, every cell typed as its column is; raises `RequestRefused`, DataError."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"the body is not UTF-8: byte {error.start} is 0x{body[error.start]:02x}") from error
    if "\0" in text:
        raise DataError("the body holds a NUL byte: it is binary, or UTF-16")
    lines = text.splitlines(keepends=True)
    dialect = Dialect.sniffed([line.rstrip("\r\n") for line in lines[:SNIFFED]])
    reader = csv.reader(lines, delimiter=dialect.delimiter, skipinitialspace=True, strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        check_names(names)
        _check_header(names, preprocessor)
        return list(_rows(reader, names, preprocessor, most))
    except csv.Error as error:
        raise DataError(f"line {reader.line_num} is not CSV: {error}; check its quotes") from error


def write_columns(columns: Columns) -> bytes:
    """RFC 4180 with a header; a number as the shortest text that is read as the same float32 again."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(zip(*(cells(column) for column in columns.values()), strict=True))
    return text.getvalue().encode()


def _check_header(names: list[str], preprocessor: Preprocessor) -> None:
    if not names:
        raise DataError("the body is empty; send a header row with the names of the features, and rows below it")
    known = preprocessor.shapes
    faults = [
        Fault(pointer=pointer([name]), part="body", detail=f"the unknown column {name!r}. {did_you_mean(name, known)}")
        for name in names
        if name not in known
    ]
    faults += [
        Fault(
            pointer=pointer([name]),
            part="body",
            detail=f"the header lacks the column {name!r}; every feature is needed",
        )
        for name in known
        if name not in names
    ]
    if faults:
        detail = summary(faults)
        raise RequestRefused(422, "invalid_row", "The columns are not those of the model", detail, faults[:MOST_FAULTS])


def _rows(
    reader: Iterator[list[str]], names: list[str], preprocessor: Preprocessor, most: int
) -> Iterator[dict[str, JsonValue]]:
    encoders = {encoder.name: encoder for encoder in preprocessor.encoders}
    number = 0
    for row in reader:
        if not row:
            continue
        if len(row) != len(names):
            raise DataError(f"row {number} has {len(row)} cells, but the header names {len(names)} columns")
        if number == most:
            raise DataError(f"the body has more than the {most} rows allowed; use batch-predictions for more")
        yield {name: typed(encoders[name], cell) for name, cell in zip(names, row, strict=True)}
        number += 1
    if not number:
        raise DataError("the body has a header and no rows")
