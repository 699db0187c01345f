"""JSON as such, for what has names that the caller chose, or a shape that the service only describes in words."""

from typing import TypeAlias

JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | bool | int | float | None"
JsonObject: TypeAlias = dict[str, JsonValue]

Spec: TypeAlias = JsonObject
"""A job to be: `{"data": {"train": "digits", "target": "label"}, …}`; `client.jobs.schema()` describes it."""
