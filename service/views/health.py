"""What the service says of itself: whether it works, and where things are."""

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, Field

from service.views.view import View
from worker.domain.fleet import Condition


class ConditionView(View[Condition]):
    """Something that the service leans on."""

    ok: bool
    kind: str = Field(examples=["sqlite"])
    detail: str


class Alive(BaseModel):
    """The process answers."""

    alive: bool = True


class Ready(BaseModel):
    """Everything that the service leans on works."""

    ready: bool
    parts: Mapping[str, ConditionView]

    @classmethod
    def of(cls, health: Mapping[str, Condition]) -> Self:
        parts = {name: ConditionView.of(condition) for name, condition in health.items()}
        return cls(ready=all(part.ok for part in parts.values()), parts=parts)


class ServiceIndex(BaseModel):
    """Where things are."""

    name: str = "trainshed"
    version: str
    docs: str = "/docs"
    openapi: str = "/openapi.json"
    jobs: str = "/v1/jobs"
    datasets: str = "/v1/datasets"
    parameters: str = "/v1/parameters"
    ready: str = "/health/ready"

    @classmethod
    def at(cls, root_path: str, version: str) -> "ServiceIndex":
        """The same behind a proxy that shows the API under a path of its own."""
        paths = {
            name: root_path + field.default
            for name, field in cls.model_fields.items()
            if name not in ("name", "version")
        }
        return cls(version=version, **paths)
