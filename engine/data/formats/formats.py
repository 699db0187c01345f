"""The files a dataset can be uploaded as: one class a format, found by its media type."""

from collections.abc import Mapping
from email.message import Message
from typing import Annotated

from pydantic import Field, ValidationError

from engine.data.formats.csv.csv_format import CsvFormat, TsvFormat
from engine.data.formats.excel.excel_format import ExcelFormat
from engine.data.formats.images.image_zip_format import ImageZipFormat
from engine.data.formats.json.json_format import JsonFormat
from engine.data.formats.limits import ReadLimits
from engine.data.formats.npz.npz_format import NpzFormat
from engine.data.formats.parquet.parquet_format import ParquetFormat
from engine.errors import DataError

AnyFormat = CsvFormat | TsvFormat | JsonFormat | ParquetFormat | ExcelFormat | NpzFormat | ImageZipFormat
Format = Annotated[AnyFormat, Field(discriminator="type")]
FORMATS: tuple[AnyFormat, ...] = (
    CsvFormat(),
    TsvFormat(),
    JsonFormat(),
    ParquetFormat(),
    ExcelFormat(),
    NpzFormat(),
    ImageZipFormat(),
)
__all__ = [
    "FORMATS",
    "AnyFormat",
    "CsvFormat",
    "ExcelFormat",
    "Format",
    "ImageZipFormat",
    "JsonFormat",
    "NpzFormat",
    "ParquetFormat",
    "ReadLimits",
    "TsvFormat",
    "format_of",
]


def format_of(media_type: str, options: Mapping[str, str] | None = None) -> AnyFormat | None:
    """The format of a Content-Type, with its fields as told, by its charset too; None where no format reads it.

    DataError for options that the format does not have, or of which it knows no such value.
    """
    content_type = Message()
    content_type["Content-Type"] = media_type
    essence, charset = media_type.partition(";")[0].strip().lower(), content_type.get_content_charset()
    known = next((known for known in FORMATS if essence in known.media_types), None)
    if known is None:
        return None
    for name in options or {}:
        if name == "type" or name not in type(known).model_fields:
            raise DataError(f"{name!r} does not apply to {essence}; it is for {' and '.join(_readers_of(name))}")
    told = dict(options or {})
    if charset and "encoding" in type(known).model_fields:
        told.setdefault("encoding", charset)
    if not told:
        return known
    try:
        return type(known).model_validate(told)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise DataError(f"{name}={told[name]} cannot be: {first['msg'].removeprefix('Value error, ')}") from None


def _readers_of(option: str) -> list[str]:
    return [known.media_types[0] for known in FORMATS if option in type(known).model_fields]
