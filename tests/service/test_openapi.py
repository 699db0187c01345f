"""The OpenAPI document is one that generators of clients take; a new route is held to it on arrival."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from service.app import create_app
from service.http.docs import TAGS
from service.http.openapi import schemas_of
from service.http.schema_limits import inside
from tests.service.contract import Contract, Node
from worker.backend import Backend
from worker.settings import Settings

VERBS = {
    "GET": {"get", "list", "check", "compare", "download", "preview", "stream"},
    "PUT": {"set", "change"},
    "PATCH": {"change"},
    "DELETE": {"delete"},
    "POST": {
        *("cancel", "check", "explain", "infer", "list", "pause", "predict", "register", "rerun", "resume", "roll"),
        *("stop", "submit", "upload"),
    },
}
UNBOUNDED = {  # objects with names of the caller's own, which nothing but the size of the body limits
    "HyperparametersPatch": "is a spec, and held to that",
    "SigmoidCrossEntropy": "class_weights has as many as the data have classes",
    "SoftmaxCrossEntropy": "class_weights has as many as the data have classes",
}
BOUNDS: dict[str, set[str]] = {
    "string": {"maxLength", "enum", "const"},
    "integer": {"maximum", "exclusiveMaximum", "enum", "const"},
    "array": {"maxItems"},
    "object": {"maxProperties"},
    "number": {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"},
}


@pytest.fixture(scope="session")
def components(contract: Contract) -> Node:
    schemas: Node = contract.document["components"]["schemas"]
    return schemas


def parameters(contract: Contract) -> Iterator[tuple[str, Node]]:
    for _, _, operation in contract.operations():
        for parameter in operation.get("parameters", ()):
            yield f"{operation['operationId']} {parameter['name']}", parameter


def bodies(contract: Contract) -> Iterator[tuple[str, Node]]:
    for _, _, operation in contract.operations():
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{operation['operationId']} {kind}", content


def asked(contract: Contract) -> Iterator[tuple[str, Node]]:
    """Every schema of a request, by where it stands, those that it refers to among them."""
    waiting = [(where, parameter["schema"]) for where, parameter in parameters(contract)]
    waiting += [(where, content["schema"]) for where, content in bodies(contract)]
    seen: set[str] = set()
    while waiting:
        where, schema = waiting.pop()
        for inner in inside(schema):
            yield where, inner
            name = inner.get("$ref", "").rpartition("/")[2]
            if name and name not in seen:
                seen.add(name)
                waiting.append((name, contract.document["components"]["schemas"][name]))


def nodes(value: Any) -> Iterator[Node]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


def test_references_lead_somewhere(contract: Contract) -> None:
    references = {node["$ref"] for node in nodes(contract.document) if isinstance(node.get("$ref"), str)}
    assert len(references) > 100
    parts = contract.document["components"]
    assert references <= {f"#/components/{part}/{name}" for part in ("schemas", "examples") for name in parts[part]}
    assert "$defs" not in json.dumps(contract.document)


def test_nothing_is_newer_than_the_version_of_the_document(contract: Contract) -> None:
    assert contract.document["openapi"].startswith("3.1")
    assert not [node for node in nodes(contract.document) if "itemSchema" in node]


def test_no_two_models_have_one_name(components: Node) -> None:
    assert len({name.lower() for name in components}) == len(components)  # a file each, and some know no case
    for name, schema in components.items():
        assert re.fullmatch("[A-Z][A-Za-z0-9]*", name) and schema["title"] == name
        assert not name.endswith(("View", "Input1", "Output1"))
        assert not [inner for inner in inside(schema) if inner is not schema and "title" in inner], name


def test_every_model_is_used(contract: Contract, components: Node) -> None:
    text = json.dumps(contract.document)
    assert not [name for name in components if f'"#/components/schemas/{name}"' not in text]


def test_operations_are_verbs_that_fit_their_method(contract: Contract) -> None:
    ids = [operation["operationId"] for _, _, operation in contract.operations()]
    assert len(set(ids)) == len(ids)
    assert {"submit_job", "list_jobs", "get_job", "predict_with_job", "predict_with_model", "upload_dataset"} <= {*ids}
    for method, path, operation in contract.operations():
        name = operation["operationId"]
        assert re.fullmatch("[a-z]+(_[a-z]+)+", name) and len(name) <= 32, name
        assert name.partition("_")[0] in VERBS[method], (name, path)
        assert operation["summary"].replace(" ", "_").lower() == name


def test_every_operation_stands_under_one_tag(contract: Contract) -> None:
    tags = [tag["name"] for tag in TAGS]
    used = [operation["tags"] for _, _, operation in contract.operations()]
    assert {len(each) for each in used} == {1}
    assert {tag for each in used for tag in each} == set(tags)


def test_no_default_trips_a_generator(contract: Contract, components: Node) -> None:
    for node in nodes({"paths": contract.document["paths"], "components": components}):
        assert not ("$ref" in node and "default" in node), node
    for name, schema in components.items():
        for field, about in schema.get("properties", {}).items():
            assert "default" not in about or "const" in about, (name, field)


def test_what_a_field_is_by_default_is_said(components: Node) -> None:
    training = components["TrainingSpec"]["properties"]
    assert training["epochs"]["description"] == "passes over the training set. Default: `20`."
    assert components["JobSpec"]["properties"]["optimizer"]["description"].endswith('"type": "adam"}`.')
    assert "required" not in components["TrainingSpec"]


def test_unions_are_models_told_apart_by_a_tag(components: Node) -> None:
    found = {name for name, schema in components.items() if "discriminator" in schema}
    assert {"Layer", "Optimizer", "Loss", "Schedule", "Initializer", "Split", "Normalizer", "Augmentation"} <= found
    for name, schema in components.items():
        for inner in inside(schema):
            assert inner is schema or "discriminator" not in inner, (
                f"name the union in {name}: service.http.openapi.UNIONS"
            )
    for name in found:
        tag = components[name]["discriminator"]["propertyName"]
        for word, reference in components[name]["discriminator"]["mapping"].items():
            member = components[reference.rpartition("/")[2]]
            assert member["properties"][tag]["const"] == word and tag in member["required"]


def test_schemas_are_spelled_as_every_generator_reads_them(contract: Contract, components: Node) -> None:
    assert components["Job"]["properties"]["spec"]["$ref"] == "#/components/schemas/JobSpec"
    tags = {id(field) for schema in components.values() for field in schema.get("properties", {}).values()}
    for schema in schemas_of(contract.document):
        for inner in inside(schema):
            assert "const" not in inner or id(inner) in tags, inner
            assert inner is components["JsonObject"] or inner.get("additionalProperties") is not True, inner
            assert "prefixItems" not in inner, inner


def test_requests_have_limits(contract: Contract) -> None:
    found = 0
    for where, schema in asked(contract):
        kind = schema.get("type", "")
        if kind in BOUNDS and not (kind == "object" and ("properties" in schema or where in UNBOUNDED)):
            found += 1
            assert BOUNDS[kind] & schema.keys(), f"{where} has no limit: {schema}"
    assert found > 200


def test_limits_of_whole_numbers_are_whole_to_the_last_digit(contract: Contract, components: Node) -> None:
    assert components["JobSpec"]["properties"]["seed"]["maximum"] == 2**63 - 1
    for where, schema in asked(contract):
        if schema.get("type") == "integer":
            limits = [value for word, value in schema.items() if word.endswith(("imum", "Of"))]
            assert limits and {type(value) for value in limits} == {int}, (where, schema)


def test_settings_are_limits(contract: Contract, components: Node, settings: Settings) -> None:
    limits = {one["schema"]["maximum"] for where, one in parameters(contract) if where.endswith(" limit")}
    assert limits == {settings.max_page, 100}
    assert components["JobSpec"]["properties"]["layers"]["maxItems"] == settings.max_layers
    assert components["Dense"]["properties"]["units"]["maximum"] == settings.max_units
    uploads = [content for where, content in bodies(contract) if where.startswith("upload_")]
    assert {content["schema"].get("maxLength") for content in uploads} >= {settings.max_upload_bytes}


def test_what_is_answered_has_a_schema(contract: Contract) -> None:
    for name, status, answer in contract.answers():
        if status in ("204", "304"):
            assert "content" not in answer
        else:
            assert answer["content"], (name, status)
            for kind, content in answer["content"].items():
                assert content.get("schema"), (name, status, kind)


def test_who_creates_says_where_and_who_is_polled_says_what_changed(contract: Contract) -> None:
    for name, status, answer in contract.answers():
        if status == "201":
            assert "Location" in answer["headers"], name
        if status == "503":
            assert "Retry-After" in answer["headers"], name
        if status == "304":
            assert "ETag" in answer["headers"], name


def test_parameters_are_described_and_never_null(contract: Contract) -> None:
    for where, parameter in parameters(contract):
        assert parameter.get("description") or parameter["schema"].get("description"), where
        assert "null" not in json.dumps(parameter["schema"]), where


def test_uploads_may_be_every_format(contract: Contract) -> None:
    taken = {where.rpartition(" ")[2] for where, _ in bodies(contract) if where.startswith("upload_dataset ")}
    assert {
        *("text/csv", "application/json", "application/x-ndjson", "application/vnd.apache.parquet"),
        *("application/x-npz", "application/zip"),
    } <= taken


def test_two_services_in_one_process_have_the_same_document(
    opened: Backend, settings: Settings, contract: Contract
) -> None:
    assert create_app(opened, settings).openapi() == create_app(opened, settings).openapi() == contract.document


def test_the_document_shows_the_answers(contract: Contract, client: httpx.Client) -> None:
    answer = client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json" and answer.json() == contract.document
