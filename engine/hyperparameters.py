"""What may change of a spec while it trains: the fields that say so themselves (`may_change_while_running`)."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, JsonValue
from pydantic.fields import FieldInfo

from engine.errors import SpecError
from engine.spec import JobSpec


def changes(before: JobSpec, after: JobSpec) -> dict[str, tuple[object, object]]:
    """The fields that differ, by JSON pointer, with both their values.

    Raises SpecError with the pointer of the first field that differs and cannot change while a job trains.
    """
    found: dict[str, tuple[object, object]] = {}
    _compare("", before, after, found)
    return found


def changeable(spec: JobSpec) -> dict[str, JsonValue]:
    """The fields that may change while a job trains, by JSON pointer, as JSON has them."""
    return dict(_changeable("", spec))


def may_change(field: FieldInfo) -> bool:
    """Whether a field says of itself that it may change while a job trains."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and extra.get("may_change_while_running") is True


def _changeable(pointer: str, value: object) -> Iterator[tuple[str, JsonValue]]:
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            if may_change(field):
                yield f"{pointer}/{name}", _plain(value, name)
            else:
                yield from _changeable(f"{pointer}/{name}", getattr(value, name))
    elif isinstance(value, tuple):
        for place, item in enumerate(value):
            yield from _changeable(f"{pointer}/{place}", item)


def _compare(pointer: str, before: Any, after: Any, found: dict[str, tuple[object, object]]) -> None:
    if before == after:
        return
    if isinstance(before, BaseModel) and type(before) is type(after):
        for name, field in type(before).model_fields.items():
            one, other = getattr(before, name), getattr(after, name)
            if may_change(field) and one != other:
                found[f"{pointer}/{name}"] = _plain(before, name), _plain(after, name)
            else:
                _compare(f"{pointer}/{name}", one, other, found)
    elif isinstance(before, tuple) and isinstance(after, tuple) and len(before) == len(after):
        for place, (one, other) in enumerate(zip(before, after, strict=True)):
            _compare(f"{pointer}/{place}", one, other, found)
    else:
        raise SpecError(
            pointer,
            f"{pointer} cannot change while a job trains; submit a new job, which may start from this one's parameters",
        )


def _plain(owner: BaseModel, name: str) -> JsonValue:
    value: JsonValue = owner.model_dump(mode="json", include={name})[name]
    return value
