"""Every member of a union of components, so that a test over a family meets a newcomer on the day it arrives."""

from typing import Any, get_args

from engine.component import Component

NEEDED: dict[str, dict[str, object]] = {
    "dense": {"units": 4},
    "table": {"rates": ((0, 0.01), (3, 0.005), (7, 0.001))},
    "given": {"parameters": "mine"},
}
"""What a component cannot be made without, by type; a newcomer whose fields have defaults needs no entry."""


def members(union: Any) -> tuple[type[Component], ...]:
    """The classes of a discriminated union, in its order."""
    classes: tuple[type[Component], ...] = get_args(get_args(union)[0])
    return classes


def type_of(component: Component | type[Component]) -> str:
    return str(type_fields(component)["type"].default)


def type_fields(component: Component | type[Component]) -> dict[str, Any]:
    kind = component if isinstance(component, type) else type(component)
    return dict(kind.model_fields)


def plain(member: type[Component], **fields: object) -> Any:
    """A member with its defaults and as little else as it takes."""
    return member(**(NEEDED.get(type_of(member), {}) | fields))


def each(union: Any) -> list[Any]:
    """One plain instance of every member."""
    return [plain(member) for member in members(union)]


def name(component: Any) -> str:
    """A readable test id: the type, and the fields that are not at their default."""
    changed = {k: v for k, v in component.model_dump(exclude_defaults=True).items() if k != "type"}
    return " ".join([type_of(component), *(f"{k}={v}" for k, v in changed.items())])
