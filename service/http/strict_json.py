"""JSON text read strictly: what `json.loads` lets pass and a database or another JSON reader would not.

NaN, numbers beyond float64, repeated keys, lone surrogates and NUL are found with their JSON pointers; `4.0`
counts as the integer 4, as JSON Schema has it.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from engine.json_pointer import pointer

MAX_DEPTH = 64  # deeper than any spec or image, and far from Python's recursion limit
MAX_DIGITS = 300  # an integer this long still fits a float64
EXACT = 2**53  # below this a float64 with no fraction is exactly one integer

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class Flaw:
    """Stands in the parsed document where something was that no value can stand for."""

    detail: str


@dataclass(frozen=True)
class FlawAt:
    """A flaw and where it is."""

    pointer: str
    detail: str


class Unreadable(ValueError):
    """The bytes are not JSON at all."""


def read(data: bytes) -> tuple[object, list[FlawAt]]:
    """The document and what is wrong in it; raises `Unreadable`."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(f"the body is not UTF-8: byte {error.start} is 0x{data[error.start]:02x}") from error
    try:
        document = json.loads(
            text,
            parse_float=_number,
            parse_int=_integer,
            parse_constant=lambda name: Flaw(f"{name} is not a JSON number; use null or a finite number"),
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        raise Unreadable(f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise Unreadable(f"the body is nested deeper than the {MAX_DEPTH} levels allowed") from error
    return document, list(flaws(document))


def write(document: object) -> bytes:
    """The document as JSON again."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode()


def flaws(document: object) -> Iterator[FlawAt]:
    """Walks without recursion: the document may be as deep as the parser could bear."""
    waiting: list[tuple[tuple[str | int, ...], object]] = [((), document)]
    while waiting:
        tokens, value = waiting.pop()
        if isinstance(value, Flaw):
            yield FlawAt(pointer(tokens), value.detail)
        elif isinstance(value, str):
            if found := UNSTORABLE.search(value):
                yield FlawAt(pointer(tokens), f"holds {_named(found[0])}, which no text can store")
        elif isinstance(value, dict | list):
            if len(tokens) >= MAX_DEPTH:
                raise Unreadable(f"the body is nested deeper than the {MAX_DEPTH} levels allowed")
            members = value.items() if isinstance(value, dict) else enumerate(value)
            for key, member in members:
                if isinstance(key, str) and (found := UNSTORABLE.search(key)):
                    yield FlawAt(pointer(tokens), f"a key holds {_named(found[0])}, which no text can store")
                elif not isinstance(member, int | float | None):
                    waiting.append(((*tokens, key), member))


def _number(text: str) -> float | int | Flaw:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        return Flaw(f"{_short(text)} is beyond the range of a 64-bit float")
    return int(value) if value.is_integer() and abs(value) <= EXACT else value


def _integer(text: str) -> int | Flaw:
    # Python refuses to read longer ones anyway, for the time it would take.
    return int(text) if len(text) <= MAX_DIGITS else Flaw(f"an integer of {len(text)} digits is too long")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for key, value in pairs:
        members[key] = Flaw(f"the key {_short(key)!a} appears more than once") if key in members else value
    return members


def _named(character: str) -> str:
    return "the NUL character" if character == "\x00" else f"the lone surrogate U+{ord(character):04X}"


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
