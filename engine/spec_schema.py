"""The JSON Schema of a job, with what a form needs to know of every field.

Every property has title, description, default where there is one, its range, `importance` for tuning (1 is tuned
first, 5 hardly ever) and `may_change_while_running`.
"""

from typing import Any

from engine.spec import JobSpec

LEAST_IMPORTANT = 5


def job_schema() -> dict[str, Any]:
    """The schema of JobSpec (JSON Schema 2020-12), annotated."""
    schema = JobSpec.model_json_schema()
    for definition in (schema, *schema["$defs"].values()):
        own = definition.get("description", "")
        for name, field in definition.get("properties", {}).items():
            field.setdefault("title", name.replace("_", " ").capitalize())
            field.setdefault("description", own if name == "type" else field["title"])
            field.setdefault("importance", LEAST_IMPORTANT)
            field.setdefault("may_change_while_running", False)
    return schema
