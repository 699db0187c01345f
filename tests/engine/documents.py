"""Specs as documents: a value put in its place, and as little else as it takes."""

import json
from collections.abc import Sequence
from typing import Any

DATA: dict[str, Any] = {"train": "iris", "target": "label"}


def at(place: str, value: object) -> dict[str, Any]:
    """The smallest spec with the value at a place; `*` is the first of a list, or the column `a`."""
    keys = place.split("/")[1:]
    for above, key in reversed(list(zip(["", *keys], keys, strict=False))):
        value = {key: value} if key != "*" else {"a": value} if above == "columns" else [value]
    document: dict[str, Any] = value if isinstance(value, dict) else {}
    return {**document, "data": {**DATA, **document.get("data", {})}}


def holder(document: Any, tokens: Sequence[str]) -> Any:
    """What the keys and indices lead to, made where it is not there."""
    for token in tokens:
        document = document[int(token)] if isinstance(document, list) else document.setdefault(token, {})
    return document


def replaced(document: object, tokens: Sequence[str], place: Sequence[str], value: object) -> Any:
    """The document without the field at `tokens`, and with the value at `place`."""
    copy = json.loads(json.dumps(document))
    above = holder(copy, tokens[:-1])
    if isinstance(above, dict):
        del above[tokens[-1]]
    above = holder(copy, place[:-1])
    above[int(place[-1]) if isinstance(above, list) else place[-1]] = value
    return copy


def merged(document: Any, patch: Any) -> Any:
    """RFC 7396, without its nulls."""
    if not isinstance(patch, dict) or not isinstance(document, dict):
        return patch
    return {**document, **{name: merged(document.get(name), value) for name, value in patch.items()}}
