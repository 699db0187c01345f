"""A registered model: numbered versions under a name, and aliases that mean one of them."""

from typing import Literal, TypedDict

from trainshed.client.types.json import JsonObject, Spec


class Model(TypedDict):
    """A name under which there are versions of a model."""

    name: str
    versions: int
    newest: int
    aliases: dict[str, int]
    drift: bool
    created_by: str
    created_at: str
    updated_at: str


class ModelVersion(TypedDict):
    """What a job made, kept as it was, and how it answers."""

    name: str
    version: int
    aliases: list[str]
    job: str
    checkpoint: int | None
    sha256: str
    weights_sha256: str
    bytes: int
    data_hash: str
    strict: bool
    threshold: float | None
    metrics: JsonObject | None
    environment: JsonObject | None
    spec: Spec
    created_by: str
    created_at: str


class ModelCard(TypedDict):
    """What a version learned from, how well it does, and where not to trust it."""

    name: str
    version: int
    aliases: list[str]
    created_at: str
    sha256: str
    weights_sha256: str
    environment: JsonObject | None
    strict: bool
    threshold: float | None
    task: JsonObject
    data: JsonObject
    split: JsonObject
    network: JsonObject
    training: JsonObject
    result: JsonObject | None
    gradient_checks: list[JsonObject]
    diagnosis: JsonObject | None
    limits: list[str]


class Alias(TypedDict):
    """A word within a model that means one of its versions."""

    alias: str
    version: int
    changed_at: str


class AliasChange(TypedDict):
    """What an alias meant before, and what it meant then."""

    number: int
    alias: str
    change: Literal["set", "rollback", "removed"]
    version: int | None
    previous: int | None
    who: str
    at: str
