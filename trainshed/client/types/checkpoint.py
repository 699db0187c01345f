"""A run at one moment."""

from typing import Literal, TypedDict

from trainshed.client.types.json import JsonObject


class Checkpoint(TypedDict):
    """A place where a job can go on."""

    number: int
    epoch: int
    step: int
    kind: Literal["best", "periodic", "control"]
    revision: int
    bytes: int
    sha256: str
    metrics: JsonObject
    created_at: str
