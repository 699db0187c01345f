"""Values of the engine in JSON's own types; a number that is not finite becomes null."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydantic import JsonValue


def to_json(value: Mapping[str, object]) -> dict[str, JsonValue]:
    """The same document, as it can be stored."""
    return {str(key): _plain(item) for key, item in value.items()}


def to_number(value: float | np.number | None) -> float | int | None:
    """A number of a metric row."""
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, np.integer):
        return int(value)
    return float(value) if math.isfinite(value) else None


def _plain(value: object) -> JsonValue:
    match value:
        case None | bool() | str():
            return value
        case int() | float() | np.number():
            return to_number(value)
        case Path():
            return str(value)
        case Mapping():
            return to_json(value)
        case list() | tuple():
            return [_plain(item) for item in value]
        case np.ndarray():
            return _plain(value.tolist())
    raise TypeError(f"{type(value).__name__} has no place in JSON")
