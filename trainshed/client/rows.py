"""Rows to predict from, as they go into a request."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

Row: TypeAlias = Mapping[str, object] | Sequence[object]
"""An object keyed by feature name, or a plain array in the features' order; a picture is its bytes, or its path."""


def rows_body(rows: Sequence[Row]) -> dict[str, object]:
    """The body of a request for predictions."""
    return {
        "rows": [
            {name: _sent(value) for name, value in row.items()} if isinstance(row, Mapping) else list(map(_sent, row))
            for row in rows
        ]
    }


def _sent(value: object) -> object:
    if isinstance(value, Path):
        value = value.read_bytes()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value
