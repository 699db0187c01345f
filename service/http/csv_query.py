"""What may be told of a CSV file that is uploaded, as query parameters or fields of the form."""

from typing import Annotated, Literal

from fastapi import Query

from engine.data.formats.csv.csv_options import CsvOptions, HeaderOptions, MissingOption


def _described(name: str) -> str:
    """For which kinds of tables an option is, and what it says."""
    kinds = "tables" if name in MissingOption.model_fields else "CSV"
    kinds = "CSV and sheets" if kinds == "CSV" and name in HeaderOptions.model_fields else kinds
    return f"of {kinds}: {CsvOptions.model_fields[name].description}"


Header = Annotated[
    str | None,
    Query(
        pattern=r"^(true|false|[1-9][0-9]{0,5})$",
        max_length=6,
        description=_described("header"),
        examples=["true", "3"],
    ),
]
Delimiter = Annotated[str | None, Query(max_length=9, description=_described("delimiter"), examples=["semicolon"])]
Encoding = Annotated[str | None, Query(max_length=40, description=_described("encoding"), examples=["windows-1252"])]
Comment = Annotated[str | None, Query(max_length=9, description=_described("comment"), examples=["hash"])]
Escape = Annotated[Literal["backslash", "none"] | None, Query(description=_described("escape"))]
Index = Annotated[Literal["keep", "drop"] | None, Query(description=_described("index"))]
Units = Annotated[Literal["keep", "drop"] | None, Query(description=_described("units"))]
Missing = Annotated[str | None, Query(max_length=1024, description=_described("missing"), examples=["-999,unknown"])]


def csv_options(
    header: Header = None,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    comment: Comment = None,
    escape: Escape = None,
    index: Index = None,
    units: Units = None,
    missing: Missing = None,
) -> dict[str, str]:
    """Those that were given, by their names."""
    asked = {
        "header": header,
        "delimiter": delimiter,
        "encoding": encoding,
        "comment": comment,
        "escape": escape,
        "index": index,
        "units": units,
        "missing": missing,
    }
    return {name: value for name, value in asked.items() if value is not None}
