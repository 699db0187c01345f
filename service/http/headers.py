"""Headers of a request as ASGI has them: bytes, with names in lower case."""

from collections.abc import Set
from operator import itemgetter
from typing import cast

from starlette.types import Scope

first = itemgetter(0)


def has_none(scope: Scope, names: Set[bytes]) -> bool:
    """Whether a request has none of these headers; most have none, and learn it in a fraction of a microsecond."""
    return names.isdisjoint(map(first, scope["headers"]))


def header(scope: Scope, name: bytes) -> bytes | None:
    """The value of a header; of one that is repeated the first."""
    for known, value in scope["headers"]:
        if known == name:
            return cast(bytes, value)
    return None
