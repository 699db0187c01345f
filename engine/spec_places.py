"""Every place of a spec, and the components that may stand there."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from engine.component import Component
from engine.spec import JobSpec
from engine.spelling import letters

Members = tuple[type[Component], ...]


@cache
def components() -> Mapping[str, Members]:
    """By the JSON pointer of the place, with `*` for every index and every key that is the user's own."""
    found: dict[str, Members] = {"": (JobSpec,)}
    for place, member in _walk("", JobSpec):
        found[place] = (*found.get(place, ()), member)
    return found


@cache
def homes() -> Mapping[str, str]:
    """The pointer of every field that stands in one place, by its name's letters; the uppermost, where in several."""
    found: dict[str, list[str]] = {}
    for place, members in components().items():
        for name in dict.fromkeys(name for member in members for name in member.model_fields):
            found.setdefault(letters(name), []).append(f"{place}/{name}")
    return {name: min(places, key=len) for name, places in found.items() if not any("*" in each for each in places)}


def place_of(tokens: Sequence[str | int]) -> str:
    """The place that keys and indices lead to."""
    place = ""
    for token in tokens:
        place = f"{place}/*" if f"{place}/*" in components() or isinstance(token, int) else f"{place}/{token}"
    return place


def is_family(place: str) -> bool:
    """Whether the components that may stand there are told apart by their type."""
    return place in components() and type_of(components()[place][0]) is not None


def type_of(member: type[Component]) -> str | None:
    """The name of a member of a family; None for a component that is none."""
    field = member.model_fields.get("type")
    return None if field is None else str(field.default)


def _walk(place: str, owner: type[Component]) -> Iterator[tuple[str, type[Component]]]:
    for name, field in owner.model_fields.items():
        for below, member in _components(f"{place}/{name}", field.annotation):
            yield below, member
            yield from _walk(below, member)


def _components(place: str, annotation: Any) -> Iterator[tuple[str, type[Component]]]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _components(place, arguments[0])
    elif origin in (Union, UnionType):
        for alternative in arguments:
            yield from _components(place, alternative)
    elif origin in (tuple, dict):
        yield from _components(f"{place}/*", arguments[0] if origin is tuple else arguments[1])
    elif isinstance(annotation, type) and issubclass(annotation, Component):
        yield place, annotation
