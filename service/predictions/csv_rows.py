"""CSV on both sides of a prediction: rows that come as text under a header, answers that go out as columns."""

import csv
import io

from engine import DataError
from engine.answer_columns import Columns, cells
from engine.data.encoding.encoders import TensorEncoder
from engine.data.encoding.preprocessor import Preprocessor
from engine.data.formats.csv.csv_cells import read_cells
from engine.data.formats.limits import ReadLimits


def read_rows(body: bytes, preprocessor: Preprocessor, most: int) -> list[dict[str, str]]:
    """Rows keyed by the header, every cell as it stands: the model knows how to read it; raises DataError."""
    if not body:
        raise DataError("the body is empty; send a header row with the names of the features, and rows below it")
    found = read_cells(body, limits=ReadLimits(max_rows=most))
    _refuse_arrays(found.names, preprocessor)
    if not found.rows:
        raise DataError("the body has a header and no rows")
    return [dict(zip(found.names, row, strict=True)) for row in found.rows]


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
