"""Initial parameters of a network."""

from typing import TypedDict


class ParameterSet(TypedDict):
    """Uploaded initial parameters; `tensors` are the shapes by name."""

    id: str
    name: str
    bytes: int
    sha256: str
    tensors: dict[str, list[int]]
    created_by: str
    created_at: str
