"""The client's types are the OpenAPI document's: what a route answers, a program may read, and the other way round."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import httpx
import numpy as np
import pytest

from service.http import openapi
from tests.service.bad_uploads import npz
from tests.service.contract import Contract, Node
from tests.service.test_fields import ANSWERS
from trainshed.client import types


class Free:
    """What stands for JSON of any shape in the types: at run time its own name is only a text."""


TYPES = {name: getattr(types, name) for name in types.__all__ if is_typeddict(getattr(types, name))}
EXAMPLES = json.loads((Path(openapi.__file__).with_name("examples.json")).read_text())
# Schemas that the client has as something else: a page is a list, a spec and what is free are JSON, a state is a word.
OTHERWISE = {"JobSpec", "JsonObject", "JsonValue", "Status", "MetricsPage"}
# Types of what the document calls an object and describes in words; recorded answers are held to these.
WITHIN_OBJECTS = {
    *("ComponentCheck", "GradientReport", "LayerStatistics", "LabelProbability", "Prediction", "Preview", "TensorCheck")
}
ANYTHING = {dict[str, Free], list[Free], str, bool, int, float, NoneType}
PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}


def fields_of(kind: Any) -> dict[str, Any]:
    """The fields of a type."""
    return get_type_hints(kind, localns={"JsonValue": Free})


def answered(contract: Contract) -> Iterator[Node]:
    """The schemas of JSON answers to what the client asks."""
    for _, path, operation in contract.operations():
        for status, answer in operation["responses"].items():
            if path.startswith("/v1/") and status.startswith("2"):
                yield from (about["schema"] for kind, about in answer.get("content", {}).items() if "json" in kind)


@pytest.fixture(scope="module")
def schemas(contract: Contract) -> dict[str, Node]:
    """Every model that is answered, by name, but for pages."""
    components = contract.document["components"]["schemas"]
    found: dict[str, Node] = {}
    waiting: list[Any] = [*answered(contract), {"$ref": "#/components/schemas/Fault"}]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            name = str(node.get("$ref", "")).rpartition("/")[2]
            if name and name not in found and name not in OTHERWISE:
                found[name] = components[name]
                waiting.append(components[name])
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
    return {name: schema for name, schema in found.items() if not is_page(schema)}


def is_page(schema: Node) -> bool:
    return {"data"} <= schema.get("properties", {}).keys() <= {"data", "has_more"}


def documented(schema: Node) -> str:
    """What a schema allows, in words that a type has, too."""
    name = schema.get("$ref", "").rpartition("/")[2]
    if name == "Status":
        return " | ".join(sorted(map(repr, get_args(types.State))))
    if name in ("JobSpec", "JsonObject"):
        return "{JsonValue}"
    if name:
        return str(name)
    if "anyOf" in schema:
        return " | ".join(sorted(documented(each) for each in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(sorted(map(repr, schema["enum"])))
    match schema.get("type"):
        case "array":
            return f"[{documented(schema['items'])}]"
        case "object":
            return f"{{{documented(schema['additionalProperties'])}}}"
        case kind:
            return str(kind)


def declared(hint: Any) -> str:
    """The same of a type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in PLAIN:
        return PLAIN[hint]
    if hint is Free or set(arguments) == ANYTHING:
        return "JsonValue"
    if is_typeddict(hint):
        return "{JsonValue}" if hint.__name__ in WITHIN_OBJECTS else str(hint.__name__)
    if origin is Literal:
        return " | ".join(sorted(map(repr, arguments)))
    if origin in (Union, UnionType):
        return " | ".join(sorted({part for each in arguments for part in declared(each).split(" | ")}))
    if origin is list:
        return f"[{declared(arguments[0])}]"
    assert origin is dict and arguments[0] is str, hint
    return f"{{{declared(arguments[1])}}}"


def test_every_model_that_is_answered_has_a_type_and_every_type_a_model(schemas: dict[str, Node]) -> None:
    assert {"Job", "Dataset", "ModelVersion", "Leak"} <= schemas.keys()
    assert TYPES.keys() - WITHIN_OBJECTS == schemas.keys()
    assert not WITHIN_OBJECTS & schemas.keys()


@pytest.mark.parametrize("name", sorted(TYPES.keys() - WITHIN_OBJECTS))
def test_a_type_is_its_model_field_by_field(schemas: dict[str, Node], name: str) -> None:
    fields, properties = fields_of(TYPES[name]), schemas[name]["properties"]
    assert {field: declared(hint) for field, hint in fields.items()} == {
        field: documented(schema) for field, schema in properties.items()
    }
    assert set(schemas[name].get("required", ())) <= TYPES[name].__required_keys__


def test_the_client_s_states_are_the_document_s(contract: Contract) -> None:
    assert set(get_args(types.State)) == set(contract.document["components"]["schemas"]["Status"]["enum"])


def misfits(value: Any, hint: Any, where: str = "") -> Iterator[str]:
    """Places where a value has fields that a type lacks, or lacks those that it requires."""
    arguments = get_args(hint)
    if is_typeddict(hint) and isinstance(value, dict):
        hints = fields_of(hint)
        yield from (f"{where}/{extra} is not declared" for extra in value.keys() - hints.keys())
        yield from (f"{where}/{lacking} is not there" for lacking in hint.__required_keys__ - value.keys())
        for field in value.keys() & hints.keys():
            yield from misfits(value[field], hints[field], f"{where}/{field}")
    elif get_origin(hint) is list and isinstance(value, list):
        for each in value:
            yield from misfits(each, arguments[0], where)
    elif get_origin(hint) in (Union, UnionType):
        if not any(fits(value, each) for each in arguments):
            yield f"{where} is {value!r}, which is not {hint}"
        for each in arguments:
            if is_typeddict(each) and value is not None:
                yield from misfits(value, each, where)
    elif hint in PLAIN and not fits(value, hint):
        yield f"{where} is {value!r}, which is not {hint}"


def fits(value: Any, hint: Any) -> bool:
    """Whether the outermost part is of the type."""
    if is_typeddict(hint) or get_origin(hint) is dict:
        return isinstance(value, dict)
    if get_origin(hint) is list:
        return isinstance(value, list)
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if hint in PLAIN:
        kinds = {float: (int, float), int: int}.get(hint, hint)
        return isinstance(value, kinds) and (hint is bool or not isinstance(value, bool))
    return True


RECORDED = {
    "list_gradient_checks": types.GradientCheck,
    "list_layers": types.LayersMeasured,
    "predict_with_job": types.Predictions,
    "predict_with_model": types.ModelPredictions,
    "preview_dataset": types.Preview,
}


@pytest.mark.parametrize("operation", sorted(RECORDED))
def test_what_the_document_describes_in_words_is_as_the_type_says(operation: str) -> None:
    answer = EXAMPLES["answers"][operation]["200"]["application/json"]
    entries = answer.get("data", [answer])
    assert entries and [wrong for entry in entries for wrong in misfits(entry, RECORDED[operation])] == []


def test_a_prediction_has_what_some_model_says_and_nothing_else(
    client: httpx.Client, train: Callable[..., str]
) -> None:
    """One class, several labels, a number, and the likeliest labels; and what is to be said of rows."""
    seen = set[str]()
    table = b"".join(b"%d,%s,%s\n" % (n, b"ab"[n % 2 : n % 2 + 1], b"yn"[n % 2 : n % 2 + 1]) for n in range(20))
    client.post("/v1/datasets?name=said", content=b"n,w,y\n" + table, headers={"Content-Type": "text/csv"})
    job_id = train(data={"train": "said", "target": "y"})
    said = client.post(f"/v1/jobs/{job_id}/predict", json={"rows": [{"n": 900, "w": "c"}, {"n": None, "w": "a"}]})
    for prediction in said.json()["predictions"]:
        assert [*misfits(prediction, types.Prediction)] == []
        seen |= prediction.keys()
    for kind, targets in ANSWERS.items():
        content = npz(x=np.linspace(0.0, 1.0, 24).reshape(12, 2), y=targets)
        client.post(f"/v1/datasets?name={kind}", content=content, headers={"Content-Type": "application/x-npz"})
        job_id = train(data={"train": kind, "target": "label"}, register_as=f"typed-{kind}")
        answers = [client.post(f"/v1/jobs/{job_id}/predict", json={"rows": [[0.1, 0.9]]})]
        for query in ("", "?top_k=2") if kind != "values" else ("",):
            answers.append(client.post(f"/v1/models/typed-{kind}/predict{query}", json={"rows": [[0.1, 0.9]]}))
        for answer in answers:
            (prediction,) = answer.json()["predictions"]
            assert [*misfits(prediction, types.Prediction)] == [], kind
            seen |= prediction.keys()
    assert seen == fields_of(types.Prediction).keys()


def test_a_misfit_is_found() -> None:
    worker = EXAMPLES["answers"]["list_workers"]["200"]["application/json"]["data"][0]
    assert [*misfits(worker, types.Worker)] == []
    assert [*misfits(worker | {"mood": "fine"}, types.Worker)] == ["/mood is not declared"]
    assert [*misfits({**worker, "pid": "12"}, types.Worker)] != []
    del worker["host"]
    assert [*misfits(worker, types.Worker)] == ["/host is not there"]
