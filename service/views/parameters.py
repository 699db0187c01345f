"""What the service says of a parameter set."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field

from service.views.view import View
from worker.domain.parameter_sets import ParameterSet


class ParameterSetView(View[ParameterSet]):
    """A set of initial parameters that was uploaded."""

    id: str = Field(examples=["ps_0198f3c5a2b87c1d9e4f5a6b7c8d9e0f"])
    name: str = Field(description='for `{"initializer": {"type": "given", "parameters": "…"}}`')
    bytes: int
    sha256: str
    tensors: Mapping[str, tuple[int, ...]] = Field(description="shape per tensor", examples=[{"W1": [64, 10]}])
    created_by: str = Field(description="the principal that made it")
    created_at: datetime
