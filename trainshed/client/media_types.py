"""Media types by suffix."""

from pathlib import Path

from trainshed.client.errors import UnknownMediaType

EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"  # of whatever age: the content tells
MEDIA_TYPES = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".tab": "text/tab-separated-values",
    ".json": "application/json",
    ".ndjson": "application/x-ndjson",
    ".jsonl": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
    ".xlsx": EXCEL,
    ".xls": EXCEL,
    ".xlsm": EXCEL,
    ".xlsb": EXCEL,
    ".ods": EXCEL,
    ".npz": "application/x-npz",
    ".safetensors": "application/vnd.safetensors",
    ".zip": "application/zip",
    ".gz": "application/gzip",
}


def media_type_of(name: str, content: Path | bytes) -> str:
    """What a file's suffix says; raises UnknownMediaType, whose message says which suffixes do."""
    suffix = content.suffix.lower() if isinstance(content, Path) else ""
    if suffix not in MEDIA_TYPES:
        raise UnknownMediaType(
            f"cannot tell the media type of {name!r} from the suffix {suffix!r}; "
            f"name it as {' or '.join(MEDIA_TYPES)}, or say the media type"
        )
    return MEDIA_TYPES[suffix]
