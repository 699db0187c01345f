"""What this installation allows, told in the schemas: a setting is known when the service starts, and not before."""

from collections.abc import Iterator, Mapping
from typing import Any

from worker.settings import Settings

Node = dict[str, Any]

ROWS = (("Rows", "rows"), ("RowsBody", "rows"), ("Explain", "row"))  # as arrays, or as objects
FIELDS = (
    ("JobSpec", "layers", "maxItems", "max_layers"),
    ("Dense", "units", "maximum", "max_units"),
    ("TrainingSpec", "epochs", "maximum", "max_epochs"),
    ("TrainingSpec", "batch_size", "maximum", "max_batch_size"),
    ("DataSpec", "features", "maxItems", "max_columns"),
    ("DataSpec", "columns", "maxProperties", "max_columns"),
    ("CategoryColumn", "order", "maxItems", "max_columns"),
    *((model, field, keyword, "max_columns") for model, field in ROWS for keyword in ("maxItems", "maxProperties")),
)
"""Of a model's field: what is limited, and the setting that says to how much."""

PARAMETERS = {"limit": "max_page", "max_points": "max_page"}
OF_KEYWORD = {"maxItems": "array", "maxProperties": "object", "maximum": "integer"}


def limit_fields(models: Mapping[str, Node], settings: Settings) -> None:
    """Set the limits in the schemas of the models that are there, by name."""
    for model, field, keyword, setting in FIELDS:
        if model in models:
            limit(models[model]["properties"][field], keyword, getattr(settings, setting))


def limit_parameters(parameters: Iterator[Node], settings: Settings) -> None:
    """The same for query parameters."""
    for parameter in parameters:
        if parameter["name"] in PARAMETERS:
            limit(parameter["schema"], "maximum", getattr(settings, PARAMETERS[parameter["name"]]))


def limit_bodies(paths: Mapping[str, Node], models: Mapping[str, Node], settings: Settings) -> None:
    """The same for files: bytes."""
    for path, methods in paths.items():
        for operation in methods.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                form = models.get(content["schema"].get("$ref", "").rpartition("/")[2], {})
                for schema in (*inside(content["schema"]), *inside(form)):
                    if schema.get("format") == "binary":
                        predicted = path.endswith(("/predict", "/infer"))
                        schema["maxLength"] = settings.max_predict_bytes if predicted else settings.max_upload_bytes


def limit(schema: Node, keyword: str, most: int) -> None:
    """Set a limit wherever it has a meaning, unless a lower one is there."""
    for inner in inside(schema):
        if inner.get("type") == OF_KEYWORD[keyword]:
            inner[keyword] = min(most, inner.get(keyword, most))


def inside(schema: Node) -> Iterator[Node]:
    """A schema and every schema in it."""
    yield schema
    for keyword in ("properties", "patternProperties"):
        for inner in schema.get(keyword, {}).values():
            yield from inside(inner)
    for keyword in ("items", "additionalProperties", "propertyNames"):
        if isinstance(schema.get(keyword), dict):
            yield from inside(schema[keyword])
    for keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for inner in schema.get(keyword, ()):
            yield from inside(inner)
