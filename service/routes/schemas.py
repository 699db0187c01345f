"""What a job may be: its JSON Schema, and a gallery of jobs to start from."""

from typing import Any

from engine.presets import PRESETS
from engine.spec_schema import job_schema
from service.dependencies import BackendDep
from service.http.problems import documented
from service.http.routing import StrictRouter
from service.http.schema_limits import limit_fields
from service.views.specs import Presets, PresetView

router = StrictRouter("/v1", "specs")


@router.get("/schemas/job", responses=documented(422))
def get_job_schema(backend: BackendDep) -> dict[str, Any]:
    """The JSON Schema of a job: per field title, help, default, range, importance, whether it may change."""
    schema = job_schema()
    limit_fields({"JobSpec": schema, **schema["$defs"]}, backend.settings)
    return schema


@router.get("/presets", responses=documented(422))
def list_presets() -> Presets:
    """Jobs from the textbook, each ready to be submitted, with a sentence on what to look at."""
    return Presets(data=[PresetView.of(preset) for preset in PRESETS])
