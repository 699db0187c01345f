"""What a validation error says to who wrote the request: the value, what is allowed, and what was meant."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from engine.json_pointer import pointer
from engine.short_forms import reachable
from engine.spelling import nearest
from engine.translation import Translation, found, infer_type, translate_field, translate_value
from service.http.json_pointers import Place, locate

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

LONGEST = 60
NOT_AN_OBJECT = ("model_type", "model_attributes_type", "dict_type")


class Finding(NamedTuple):
    """What is expected at a place, and, where that helps, what came instead, and what was meant by it."""

    expected: str
    value: str = ""
    meant: str = ""


def described(
    errors: Iterable["ErrorDetails"],
    schema: Mapping[str, object],
    document: object,
    *,
    of_spec: bool = False,
) -> list[tuple[str, str]]:
    """Pairs of JSON pointer and sentence, one per place; the alternatives of a union share their sentence.

    Of a spec it is known what other libraries call its fields and values.
    """
    places: dict[str, list[Finding]] = {}
    for error in errors:
        kind, location = error["type"], error["loc"]
        place = locate(schema, location, document, kind == "extra_forbidden")
        tokens = (*place.tokens, "type") if kind.startswith("union_tag") else place.tokens
        translation = translated(kind, place.tokens, tokens, document) if of_spec else None
        written = reachable(document, tokens)
        if kind == "missing" and len(written) < len(tokens):
            finding = incomplete(str(found(document, written)), tokens[-1])
        else:
            finding = sentence(error, place, translation)
        places.setdefault(pointer(written), []).append(finding)
    return [(where, joined(findings)) for where, findings in places.items()]


def translated(kind: str, place: Sequence[str], tokens: Sequence[str], document: object) -> Translation | None:
    """What was refused, in the words of a spec."""
    if kind == "extra_forbidden":
        return translate_field(tokens, document)
    if kind == "union_tag_not_found":
        return infer_type(place, document)
    return translate_value(reachable(document, tokens), document)


def sentence(error: "ErrorDetails", place: Place, translation: Translation | None = None) -> Finding:
    """What one error says."""
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    meant = "" if translation is None else translation.sentence
    tags = [tag for schema in place.schemas for tag in _tags(schema)]
    if kind == "missing":
        return Finding("is required")
    if kind == "extra_forbidden":
        return unlisted("field", str(error["loc"][-1]), place.fields(), translation)
    if kind == "union_tag_invalid":
        return unlisted("type", str(context.get("tag")), quoted(str(context.get("expected_tags"))), translation)
    if kind == "union_tag_not_found":
        return Finding("is required", meant=meant or f"one of {', '.join(sorted(tags))}")
    if kind in NOT_AN_OBJECT:
        return Finding("must be an object" + (" or the name of one" if tags else ""), shown(value), meant)
    if kind in ("list_type", "tuple_type"):
        return Finding("must be a list", shown(value), meant)
    if kind in ("too_long", "too_short"):
        bound = f"at most {context['max_length']}" if kind == "too_long" else f"at least {context['min_length']}"
        return Finding(f"must have {bound} entries", str(context.get("actual_length") or ""), meant)
    if kind in ("literal_error", "enum"):
        near = nearest(value, quoted(str(context.get("expected")))) if isinstance(value, str) else None
        return Finding(f"must be {context.get('expected')}", shown(value), meant or asked(near))
    if kind == "value_error":
        return Finding(error["msg"].removeprefix("Value error, "))
    expected = re.sub(r"^(Input|List|String|Dictionary|Value|Tuple) should ", "must ", error["msg"])
    expected = expected.replace("must be a valid integer", "must be an integer").replace("a valid ", "a ")
    return Finding(expected, shown(value), meant)


def joined(findings: Sequence[Finding]) -> str:
    """Several ways to be right in one sentence, the one value that is not, and what was meant by it."""
    expected = " or ".join(dict.fromkeys(each.expected for each in findings)).replace(" or must be ", " or ")
    value = next((each.value for each in findings if each.value), "")
    meant = next((each.meant for each in findings if each.meant), "")
    return expected + (f", not {value}" if value else "") + (f"; {meant}" if meant else "")


def unknown(noun: str, name: str, allowed: Sequence[str]) -> str:
    """The sentence on a name that is not among the allowed ones."""
    return joined([unlisted(noun, name, allowed)])


def unlisted(noun: str, name: str, allowed: Sequence[str], translation: Translation | None = None) -> Finding:
    """A name that is not among the allowed ones, and what was probably meant."""
    bare = name.rpartition(".")[2] if noun == "type" else name  # as in torch.optim.AdamW
    meant = asked(nearest(bare, allowed)) if translation is None else translation.sentence
    # Whoever is told what to write need not be told what else there is.
    listed = allowed and (translation is None or (noun == "type" and translation.pointer is None))
    choice = f" (allowed: {', '.join(allowed)})" if listed else ""
    expected = f"unknown {noun} {short(name)!a}"
    return Finding(expected, meant=meant + choice) if meant else Finding(expected + choice)


def incomplete(name: str, field: str) -> Finding:
    """A name that cannot stand for an object, as the object has a field without a default."""
    example = f'{{"type": {json.dumps(short(name))}, "{field}": ...}}'
    return Finding(f"{short(name)!a} needs {field!r}: {example}")


def asked(name: str | None) -> str:
    """The question whether a name was meant."""
    return f"did you mean {name!r}?" if name else ""


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
