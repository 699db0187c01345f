"""An event: something that happened to a job."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue


@dataclass(frozen=True)
class Event:
    """Something that happened to a job; `seq` counts from 1 without a gap."""

    seq: int
    type: str
    at: datetime
    attempt: int
    data: Mapping[str, JsonValue]
