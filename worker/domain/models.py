"""A registered model: a name, versions that never change, and aliases that say which version is meant."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

ChangeKind = Literal["set", "rollback", "removed"]
"""What can happen to an alias."""


@dataclass(frozen=True)
class RegisteredModel:
    """A name under which there are versions; times are UTC."""

    name: str
    versions: int  # that there are
    newest: int  # the greatest version's number
    aliases: Mapping[str, int]
    drift: bool  # whether the features of requests are sampled
    revision: int  # grows by every change of the model, its versions or its aliases
    created_by: str  # whoever registered its first version
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Registration:
    """A version before the store has numbered it; its file is safe on disk."""

    name: str
    job_id: str
    checkpoint: int | None  # of the job; None: the model that the job kept
    file: str  # relative to the artifacts' root
    sha256: str
    weights_sha256: str
    bytes: int
    spec: Mapping[str, JsonValue]
    data_hash: str
    datasets: Mapping[str, str]  # id by the reference of the spec
    metrics: Mapping[str, JsonValue] | None  # the job's result
    environment: Mapping[str, JsonValue] | None  # what the job was trained with
    card: Mapping[str, JsonValue]
    strict: bool  # whether rows with missing or unknown fields are refused
    threshold: float | None  # of the decision


@dataclass(frozen=True)
class ModelVersion(Registration):
    """A version: what a job made, kept as it was, whatever becomes of the job; only how it answers may change."""

    version: int  # counts from 1; the number of a deleted one is not given again
    aliases: tuple[str, ...]  # that mean this version now
    created_by: str
    created_at: datetime


@dataclass(frozen=True)
class Alias:
    """A name within a model that means one of its versions."""

    name: str
    alias: str
    version: int
    changed_at: datetime


@dataclass(frozen=True)
class AliasChange:
    """An entry of the history of a model's aliases; None where the alias did not, or does not, exist."""

    number: int  # counts a model's changes from 1
    alias: str
    change: ChangeKind
    version: int | None
    previous: int | None
    who: str  # changed it
    at: datetime


@dataclass(frozen=True)
class ModelRecord:
    """The model of a job that succeeded."""

    job_id: str
    path: Path
    sha256: str
    weights_sha256: str
