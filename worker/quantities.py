"""Numbers as people write them: counts in groups of three digits, bytes and durations with a unit.

A unit of bytes is decimal or binary, as its name says: 1 kB = 1000 bytes, MB = 1000², GB = 1000³;
1 KiB = 1024 bytes, MiB = 1024², GiB = 1024³.
"""

import re
from typing import Annotated

import durationpy
from pydantic import BeforeValidator, ByteSize, Field, TypeAdapter, ValidationError

GROUPED = re.compile(r"(?<![\d.])\d{1,3}(?:[ _\u00a0\u2007\u2009\u202f]\d{3})+(?!\d)")  # no-break, figure, thin, narrow
WITH_UNIT = re.compile(r"\d+(?:\.\d+)?\s*[a-z]*", re.IGNORECASE)
BINARY = re.compile(r"(?<=[kmgtp]i)$", re.IGNORECASE)  # Kubernetes writes 512Mi
BESIDE_UNIT = re.compile(r"(?<=[a-zµμ])\s+|\s+(?=[a-zµμ])")
BYTES = TypeAdapter(ByteSize)


def read_count(value: object) -> object:
    """A text without what stands between groups of three digits; anything but text as it is."""
    if not isinstance(value, str):
        return value
    return GROUPED.sub(lambda number: re.sub(r"\D", "", number[0]), value.strip())


def read_bytes(value: object) -> object:
    """A number of bytes from `1GB`, `512 MiB`, `64k` or bare digits; anything but text as it is. Raises ValueError."""
    text = read_count(value)
    if not isinstance(text, str):
        return value
    try:
        if WITH_UNIT.fullmatch(text):  # pydantic's type passes over whatever follows the unit
            return int(BYTES.validate_python(BINARY.sub("B", text)))
    except ValidationError:
        pass
    raise ValueError(
        "must be a number of bytes, or a number with a unit such as 512 MiB or 1 GB "
        "(1 GB is 1000 MB, 1 GiB is 1024 MiB)"
    )


def read_seconds(value: object) -> object:
    """Seconds from `30d`, `12h`, `1h30m`, `500ms` or a bare number; anything but text as it is. Raises ValueError."""
    text = read_count(value)
    if not isinstance(text, str):
        return value
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return float(durationpy.from_str(BESIDE_UNIT.sub("", text)).total_seconds())
    except ValueError:
        raise ValueError(
            "must be a number of seconds, or numbers with units such as 10s, 90m, 12h, 30d or 1h30m"
        ) from None


Count = Annotated[int, BeforeValidator(read_count), Field(gt=0)]
"""A positive whole number: `268435456`, `268 435 456` or `268_435_456`."""

ByteCount = Annotated[int, BeforeValidator(read_bytes), Field(ge=0)]
"""A number of bytes: `1GB`, `1GiB`, `268 435 456`."""

PositiveByteCount = Annotated[ByteCount, Field(gt=0)]
"""Likewise, and not nothing."""

Seconds = Annotated[float, BeforeValidator(read_seconds), Field(gt=0, allow_inf_nan=False)]
"""A duration: `30d`, `12h`, `90m`, `10s`, or a bare number of seconds."""
