"""Parameter sets: initial parameters that somebody uploaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class ParameterSet:
    """Initial parameters that somebody uploaded; `tensors` maps a name to its shape."""

    id: str
    name: str
    bytes: int
    sha256: str
    tensors: Mapping[str, tuple[int, ...]]
    created_by: str
    created_at: datetime
