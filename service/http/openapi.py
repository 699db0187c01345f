"""The OpenAPI document that FastAPI writes, made such that generators of clients take it.

Each step says what trips over the document as it comes: openapi-typescript, openapi-python-client or openapi-generator.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

from engine.data.augmentation.augmentations import AnyAugmentation
from engine.data.encoding.column_options import ColumnOption
from engine.data.encoding.normalizers import Normalizer
from engine.data.splits import Split
from engine.initializers import AnyInitializer
from engine.layers import AnyLayer
from engine.losses import AnyLoss
from engine.optimizers import AnyOptimizer
from engine.schedules import AnySchedule
from service.http.front import add_refusals
from service.http.problems import Problem, ProblemResponse
from service.http.schema_limits import Node, inside, limit_bodies, limit_fields, limit_parameters
from worker.settings import Settings

EXAMPLES = Path(__file__).with_name("examples.json")
BINARY: Node = {"type": "string", "format": "binary"}
TEXT: Node = {"type": "string"}
REFERENCE = "#/components/schemas/{model}"

UNIONS: Mapping[str, Any] = {
    "Augmentation": AnyAugmentation,
    "ColumnOption": ColumnOption,
    "Initializer": AnyInitializer,
    "Layer": AnyLayer,
    "Loss": AnyLoss,
    "Normalizer": Normalizer,
    "Optimizer": AnyOptimizer,
    "Schedule": AnySchedule,
    "Split": Split,
}
"""What the families are called in the document: pydantic writes them out wherever they stand, and generators make up
names such as JobSpecLayersInner for what has none."""

IF_NONE_MATCH: Node = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "ETag of the answer that is known: 304 while it is still the answer",
    "schema": {"type": "string", "maxLength": 1024},
}
HEADERS: Mapping[str, Node] = {
    "ETag": {"description": "of this answer, for If-None-Match", "schema": {"type": "string"}},
    "Location": {"description": "path of what was created", "schema": {"type": "string"}},
    "Retry-After": {"description": "seconds to wait before the request is sent again", "schema": {"type": "integer"}},
}


def made_for_generators(document: Node, settings: Settings) -> Node:
    """Another document: parts of FastAPI's belong to the routes."""
    document = deepcopy(document)
    add_problem(document)
    add_refusals(document)
    document = with_short_names(document)
    steps: tuple[Callable[[Node], None], ...] = (
        move_definitions,
        describe_streams,
        unwrap_parameters,
        name_objects,
        drop_titles,
        list_constants,
        round_limits,
        tell_defaults,
        require_tags,
        name_unions,
        flatten_pairs,
        describe_headers,
        add_examples,
    )
    for step in steps:
        step(document)
    limit_fields(document["components"]["schemas"], settings)
    limit_parameters((one for each in operations(document) for one in each.get("parameters", ())), settings)
    limit_bodies(document["paths"], document["components"]["schemas"], settings)
    return document


def add_problem(document: Node) -> None:
    """Every error is a problem; FastAPI's own shape of a 422 is never sent."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = Problem.model_json_schema(ref_template=REFERENCE, mode="serialization")
    schemas.update(problem.pop("$defs", {}))
    problem["properties"]["error"] = {"type": "string", "description": "under /v2 only: the detail once more"}
    schemas["Problem"] = problem


def with_short_names(document: Node) -> Node:
    """A schema is called what it describes: JobList instead of `Listing_JobView_`, Job instead of JobView."""
    text = json.dumps(document)
    for name, schema in document["components"]["schemas"].items():
        short = schema.get("title", name).removesuffix("View")
        if short != name:
            text = text.replace(f'"{REFERENCE.format(model=name)}"', f'"{REFERENCE.format(model=short)}"')
            text = text.replace(f'"{name}": {{', f'"{short}": {{')
    renamed: Node = json.loads(text)
    return renamed


def move_definitions(document: Node) -> None:
    """A body that its route reads itself brings its schema along; generators look among the components only."""
    schemas = document["components"]["schemas"]
    for content in media_types(document):
        schema = content.get("schema", {})
        if "$defs" in schema or "properties" in schema:
            schemas.update(schema.pop("$defs", {}))
            schemas[schema["title"]] = schema
            content["schema"] = {"$ref": REFERENCE.format(model=schema["title"])}


def describe_streams(document: Node) -> None:
    """`itemSchema` came with OpenAPI 3.2, and this is 3.1, which generators know."""
    for content in media_types(document):
        if content.pop("itemSchema", None) is not None:
            content["schema"] = {"type": "string"}


def unwrap_parameters(document: Node) -> None:
    """A parameter is left out rather than null, which openapi-python-client refuses in a path."""
    for operation in operations(document):
        for parameter in operation.get("parameters", ()):
            schema = parameter["schema"]
            choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
            if len(choices) == 1:
                del schema["anyOf"]
                schema.update(choices[0])


def round_limits(document: Node) -> None:
    """FastAPI makes floats of limits: whole numbers get theirs back, and 2⁶³ − 1 the digits that a float has not."""
    for schema in schemas_of(document):
        for inner in inside(schema):
            if inner.get("type") == "integer":
                for keyword in inner.keys() & {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}:
                    inner[keyword] = min(int(inner[keyword]), 2**63 - (keyword == "maximum"))


def name_objects(document: Node) -> None:
    """What may be any object is one model, or the one that it is known to be.

    openapi-python-client calls an unnamed one in a Job's field `spec` JobSpec, which is taken, and drops Job.
    """
    schemas = document["components"]["schemas"]
    for schema in [*schemas_of(document)]:
        for inner in inside(schema):
            if (
                inner.get("type") == "object"
                and inner.get("additionalProperties") is True
                and "properties" not in inner
            ):
                name = inner.pop("x-model", "JsonObject")
                del inner["type"], inner["additionalProperties"]
                inner["$ref"] = REFERENCE.format(model=name)
    schemas["JsonObject"] = {"description": "Any JSON object.", "type": "object", "additionalProperties": True}


def drop_titles(document: Node) -> None:
    """openapi-generator names classes after titles of fields: two fields of one name become `Rows1`, `Rows2`."""
    for schema in schemas_of(document):
        for inner in inside(schema):
            inner.pop("title", None)
    for name, schema in document["components"]["schemas"].items():
        schema["title"] = name


def list_constants(document: Node) -> None:
    """A number or one word: a client of openapi-python-client takes no number where the word is a `const`."""
    for schema in schemas_of(document):
        for inner in inside(schema):
            for choice in inner.get("anyOf", ()):
                if "const" in choice:
                    choice["enum"] = [choice.pop("const")]


def tell_defaults(document: Node) -> None:
    """What a field is by default, said in its description.

    openapi-typescript requires what has a default, in requests, too; openapi-python-client drops a model with a default
    beside a reference. Without, every client sends what it was told, and the service fills in the rest. A parameter
    keeps its default: there nothing trips over it.
    """
    for content in media_types(document):
        content.get("schema", {}).pop("default", None)
    for schema in document["components"]["schemas"].values():
        for name, field in schema.get("properties", {}).items():
            if "default" not in field or "const" in field:
                continue
            default = field.pop("default")
            if name not in schema.get("required", ()):
                said = field.get("description", "")
                sentence = f"Default: `{json.dumps(default, ensure_ascii=False)}`."
                field["description"] = f"{said.removesuffix('.')}. {sentence}" if said else sentence


def require_tags(document: Node) -> None:
    """OpenAPI wants the property that a union is told apart by to be required; openapi-generator ignores it else."""
    for schema in document["components"]["schemas"].values():
        tags = [name for name, field in schema.get("properties", {}).items() if "const" in field]
        if tags:
            schema["required"] = list(dict.fromkeys([*schema.get("required", ()), *tags]))


def name_unions(document: Node) -> None:
    """Every discriminated union becomes a component, and a reference where it stands."""
    names = {tags_of(TypeAdapter(union).json_schema()): name for name, union in UNIONS.items()}
    found: Node = {}
    for schema in schemas_of(document):
        for inner in inside(schema):
            name = names.get(tags_of(inner))
            if name is not None and "discriminator" in inner:
                found[name] = {"title": name, "oneOf": inner.pop("oneOf"), "discriminator": inner.pop("discriminator")}
                inner["$ref"] = REFERENCE.format(model=name)
    document["components"]["schemas"].update(found)


def flatten_pairs(document: Node) -> None:
    """openapi-generator knows no `prefixItems`; a list of so many alike, or so many numbers, says nearly the same."""
    for schema in schemas_of(document):
        for inner in inside(schema):
            places = inner.pop("prefixItems", None)
            if places is not None:
                same = all(place == places[0] for place in places)
                lowest = min(place.get("minimum", place.get("exclusiveMinimum", 0)) for place in places)
                inner["items"] = places[0] if same else {"type": "number", "minimum": lowest}


def describe_headers(document: Node) -> None:
    """Headers that every route of a kind has: who creates names the place, what is polled has an ETag."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            answers = operation["responses"]
            polled = path.startswith(("/v1", "/v2")) and {"application/json", "image/png"} & content_of(answers, "200")
            if method == "get" and (polled or "206" in answers):
                answers["304"] = {"description": "Nothing has changed since", "headers": {"ETag": HEADERS["ETag"]}}
                answers["200"].setdefault("headers", {})["ETag"] = HEADERS["ETag"]
                operation.setdefault("parameters", []).append(IF_NONE_MATCH)
            for status, name in (("201", "Location"), ("503", "Retry-After")):
                if status in answers:
                    answers[status].setdefault("headers", {})[name] = HEADERS[name]


def request_body(
    description: str,
    content: Mapping[str, type[BaseModel] | Node],
    *,
    required: bool = True,
    examples: Node | None = None,
) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads its body itself: a model or a schema by media type.

    The examples are of JSON.
    """
    described: dict[str, Node] = {
        kind: {"schema": about if isinstance(about, dict) else about.model_json_schema(ref_template=REFERENCE)}
        for kind, about in content.items()
    }
    if examples is not None:
        described["application/json"]["examples"] = examples
    return {"requestBody": {"required": required, "description": description, "content": described}}


def add_examples(document: Node) -> None:
    """Answers as they came in a session that was recorded (`make examples`)."""
    recorded = json.loads(EXAMPLES.read_text("utf-8"))
    document["components"]["examples"] = {
        f"Problem{status}": {"value": problem} for status, problem in recorded["problems"].items()
    }
    for operation in operations(document):
        answers = recorded["answers"].get(operation["operationId"], {})
        for status, answer in operation["responses"].items():
            for kind, content in answer.get("content", {}).items():
                if kind == ProblemResponse.media_type:
                    content["examples"] = {"problem": {"$ref": f"#/components/examples/Problem{status}"}}
                elif kind in answers.get(status, {}):
                    content["example"] = answers[status][kind]


def operation_id(route: Any) -> str:
    """The name of the route's function, which says what it does: `submit_job`, `list_jobs`."""
    return str(route.name)


def tags_of(schema: Node) -> frozenset[str]:
    """The tags of a discriminated union; none for any other schema."""
    return frozenset(schema.get("discriminator", {}).get("mapping", ()))


def content_of(answers: Node, status: str) -> set[str]:
    """The media types of an answer."""
    return set(answers.get(status, {}).get("content", ()))


def operations(document: Node) -> Iterator[Node]:
    """Every operation of every path."""
    for methods in document["paths"].values():
        yield from methods.values()


def media_types(document: Node) -> Iterator[Node]:
    """What bodies and answers are, by media type."""
    for operation in operations(document):
        yield from operation.get("requestBody", {}).get("content", {}).values()
        for answer in operation["responses"].values():
            yield from answer.get("content", {}).values()


def schemas_of(document: Node) -> Iterator[Node]:
    """The schemas that are no part of another."""
    yield from document["components"]["schemas"].values()
    for operation in operations(document):
        yield from (parameter["schema"] for parameter in operation.get("parameters", ()))
    yield from (content["schema"] for content in media_types(document) if "schema" in content)
