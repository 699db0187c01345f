"""What a validation error says to who wrote the request: the value, what is allowed, and what was meant."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from service.pointers import Place, locate, nearest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

LONGEST = 60


def described(
    errors: Iterable["ErrorDetails"], schema: Mapping[str, object], document: object
) -> list[tuple[str, str]]:
    """Pairs of JSON pointer and sentence, one per place; the alternatives of a union share their sentence."""
    places: dict[str, list[tuple[str, str]]] = {}
    for error in errors:
        kind, location = error["type"], error["loc"]
        place = locate(schema, location, document, kind == "extra_forbidden")
        tokens = (*place.tokens, "type") if kind.startswith("union_tag") else place.tokens
        where = Place(tokens, place.schemas).pointer
        places.setdefault(where, []).append(sentence(error, place))
    return [(where, joined(parts)) for where, parts in places.items()]


def sentence(error: "ErrorDetails", place: Place) -> tuple[str, str]:
    """What is expected, and, where that helps, the value that came instead."""
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "missing":
        return "is required", ""
    if kind == "extra_forbidden":
        return unknown("field", str(error["loc"][-1]), place.fields()), ""
    if kind == "union_tag_invalid":
        return unknown("type", str(context.get("tag")), quoted(str(context.get("expected_tags")))), ""
    if kind == "union_tag_not_found":
        tags = sorted(tag for schema in place.schemas for tag in _tags(schema))
        return f"is required: one of {', '.join(tags)}", ""
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "must be an object", shown(value)
    if kind in ("list_type", "tuple_type"):
        return "must be a list", shown(value)
    if kind in ("too_long", "too_short"):
        bound = f"at most {context['max_length']}" if kind == "too_long" else f"at least {context['min_length']}"
        return f"must have {bound} entries", str(context.get("actual_length") or "")
    if kind in ("literal_error", "enum"):
        names = quoted(str(context.get("expected")))
        meant = nearest(value, names) if isinstance(value, str) else None
        return f"must be {context.get('expected')}", shown(value) + (f"; did you mean {meant!r}?" if meant else "")
    if kind == "value_error":
        return error["msg"].removeprefix("Value error, "), ""
    expected = re.sub(r"^(Input|List|String|Dictionary|Value|Tuple) should ", "must ", error["msg"])
    return expected.replace("must be a valid integer", "must be an integer").replace("a valid ", "a "), shown(value)


def joined(parts: Sequence[tuple[str, str]]) -> str:
    """Several ways to be right in one sentence, and the one value that is not."""
    expected = " or ".join(dict.fromkeys(text for text, _ in parts)).replace(" or must be ", " or ")
    value = next((value for _, value in parts if value), "")
    return f"{expected}, not {value}" if value else expected


def unknown(noun: str, name: str, allowed: Sequence[str]) -> str:
    """A name that is not among the allowed ones, and the one that was probably meant."""
    meant = nearest(name, allowed)
    question = f"; did you mean {meant!r}?" if meant else ""
    choice = f" (allowed: {', '.join(allowed)})" if allowed else ""
    return f"unknown {noun} {short(name)!a}{question}{choice}"


def shown(value: object) -> str:
    """The value as JSON would write it, if it is short; a container only by its kind."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, str | int | float | bool | None):
        return short(json.dumps(value))
    return type(value).__name__


def short(text: str) -> str:
    """The text, or its beginning."""
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def quoted(text: str) -> list[str]:
    """The names that pydantic lists as `'a', 'b' or 'c'`."""
    return re.findall(r"'([^']*)'", text)


def _tags(schema: Mapping[str, object]) -> list[str]:
    discriminator = schema.get("discriminator")
    tags = discriminator.get("mapping") if isinstance(discriminator, dict) else None
    return list(tags) if isinstance(tags, dict) else []
