"""Jobs side by side."""

from typing import TypedDict

from trainshed.client.types.job import State
from trainshed.client.types.json import JsonObject, JsonValue


class ComparedJob(TypedDict):
    """Where one of the jobs stands."""

    id: str
    name: str | None
    state: State
    epoch: int
    revision: int
    data_hash: str
    stop_reason: str | None
    result: JsonObject | None


class Difference(TypedDict):
    """A field in which specs differ: a value per job."""

    pointer: str
    values: list[JsonValue]


class Curves(TypedDict):
    """By metric, for each job its values, one per epoch."""

    epochs: list[int]
    series: dict[str, list[list[float | None]]]


class Comparison(TypedDict):
    """Where jobs differ, and how they went."""

    jobs: list[ComparedJob]
    differences: list[Difference]
    curves: Curves
