"""What may change while a job trains."""

from typing import TypedDict

from trainshed.client.types.json import JsonObject, Spec


class Revision(TypedDict):
    """A change of hyper-parameters; `before` and `after` map JSON pointers to values."""

    number: int
    patch: JsonObject
    before: JsonObject
    after: JsonObject
    note: str | None
    who: str | None
    created_at: str
    effective_epoch: int | None
    checkpoint: int | None
    undone_at: str | None


class Hyperparameters(TypedDict):
    """What may change while a job trains, its values by JSON pointer, and every change so far."""

    revision: int
    values: JsonObject
    spec: Spec
    data: list[Revision]
