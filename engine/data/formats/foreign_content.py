"""Files that say they are text and are something else, told by their first bytes."""

from engine.errors import DataError

_MAGIC = {
    b"PK\x03\x04": "a zip archive, or a workbook of Excel; send it as what it is: application/zip, or a form with "
    "the file's name, such as -F file=@table.xlsx",
    b"\xd0\xcf\x11\xe0": "an old workbook of Excel; send it as a form with the file's name: -F file=@table.xls",
    b"PAR1": "Parquet; send it with Content-Type: application/vnd.apache.parquet",
    b"\x93NUMPY": "an array of NumPy; save it in an NPZ file",
    b"BZh": "compressed by bzip2; unpack it first",
    b"\xfd7zXZ\x00": "compressed by xz; unpack it first",
    b"(\xb5/\xfd": "compressed by zstd; unpack it first",
    b"%PDF-": "a PDF; export its table as CSV",
    b"SQLite format 3\x00": "a database of SQLite; export a table as CSV",
}
_MARKUP = (b"<!doctype", b"<!--", b"<html", b"<?xml", b"<head", b"<body", b"<table", b"<script")
_JSON = (b"[{", b'{"')


def refuse_foreign(head: bytes) -> None:
    """DataError where the first bytes of a file are those of something else than delimited text."""
    for magic, what in _MAGIC.items():
        if head.startswith(magic):
            raise DataError(f"the file is {what}")
    text = b"".join(head.replace(b"\0", b"").removeprefix(b"\xef\xbb\xbf").lstrip().lower().split())
    if text.startswith(_MARKUP):
        raise DataError(
            "the file is a page of HTML or XML, and no CSV: its address may have led to a login, or to a page about "
            "the file; download the file itself"
        )
    if text.startswith(_JSON):
        raise DataError("the file is JSON; send it with Content-Type: application/json")
