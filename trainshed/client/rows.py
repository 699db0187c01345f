"""Rows to predict from."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Row: TypeAlias = Mapping[str, object] | Sequence[object]
"""An object keyed by feature name, or a plain array in the features' order."""


def rows_body(rows: Sequence[Row]) -> dict[str, object]:
    """The body of a request for predictions."""
    return {"rows": [dict(row) if isinstance(row, Mapping) else list(row) for row in rows]}
