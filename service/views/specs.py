"""What the service says of specs: the gallery, and what a spec would become as a job."""

from typing import Self

from pydantic import BaseModel, Field

from engine.cost_estimate import CostEstimate
from engine.presets import Preset
from service.views.view import SpecObject, View
from worker.jobs.submission import Outline


class PresetView(BaseModel):
    """A job of the gallery."""

    name: str
    title: str
    look_at: str = Field(description="what there is to see")
    spec: SpecObject = Field(description="ready to be sent to `POST /v1/jobs`")

    @classmethod
    def of(cls, preset: Preset) -> Self:
        return cls.model_validate(preset.to_json())


class Presets(BaseModel):
    """The gallery, in the order a course would show it."""

    data: list[PresetView]


class Validated(View[Outline]):
    """What a spec would become as a job."""

    spec: SpecObject = Field(description="the spec with every default filled in and loss, layers and `keep` resolved")
    queue: str
    cost: CostEstimate
