"""The document shows answers as they come: each is what its schema says, and every operation has one."""

from collections.abc import Iterator

import pytest

from tests.service.contract import Contract, Node

TOO_LONG = {"get_job_schema"}  # longer than the document itself, and of one kind with it


def shown(contract: Contract) -> Iterator[tuple[str, str, str, Node]]:
    """Operation id, status, media type and what is said of it, of every answer that can be read."""
    for name, status, answer in contract.answers():
        for kind, content in answer.get("content", {}).items():
            if kind.endswith("json") or kind.startswith("text/"):
                yield name, status, kind, content


def test_every_answer_has_an_example_that_is_as_its_schema_says(contract: Contract) -> None:
    examples = 0
    for name, status, kind, content in shown(contract):
        if status < "300" and name not in TOO_LONG:
            assert "example" in content, (
                f"no example of {name} {status} {kind}: play it in tests/service/record_answers.py"
            )
            contract.check_value(
                f"{name} {status}; `make examples` records it anew", content["schema"], content["example"]
            )
            examples += 1
    assert examples > 60


def test_examples_hold_nothing_that_their_schemas_do_not(contract: Contract) -> None:
    for name, status, kind, content in shown(contract):
        if status < "300" and kind == "application/json" and name not in TOO_LONG:
            assert not strangers(contract.document, content["schema"], content["example"]), (name, status)


def test_examples_of_requests_are_as_their_schemas_say(contract: Contract) -> None:
    examples = 0
    for _, path, operation in contract.operations():
        for content in operation.get("requestBody", {}).get("content", {}).values():
            for example in content.get("examples", {}).values():
                contract.check_value(path, content["schema"], example["value"])
                examples += 1
    assert examples >= 8


def strangers(document: Node, schema: Node, value: object) -> list[str]:
    """Members of objects that a model does not have: a field that was renamed, and is still shown."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    found = [name for choice in schema.get("anyOf", ()) for name in strangers(document, choice, value)]
    if isinstance(value, list):
        found += [name for one in value for name in strangers(document, schema.get("items", {}), one)]
    if isinstance(value, dict) and "properties" in schema:
        found += value.keys() - schema["properties"].keys()
        for name, inner in value.items():
            found += strangers(document, schema["properties"].get(name, {}), inner)
    return found


def test_every_problem_has_an_example_of_its_status(contract: Contract) -> None:
    examples = contract.document["components"]["examples"]
    seen = set()
    for name, status, kind, content in shown(contract):
        if kind == "application/problem+json":
            reference = content["examples"]["problem"]["$ref"]
            problem = examples[reference.rpartition("/")[2]]["value"]
            assert problem["status"] == int(status), name
            contract.check_value(name, content["schema"], problem)
            seen.add(status)
    assert {f"Problem{status}" for status in seen} == set(examples)


@pytest.mark.parametrize("word", ["Traceback", "/root/", "/home/", ".venv"])
def test_examples_do_not_say_where_they_were_recorded(contract: Contract, word: str) -> None:
    for name, status, _, content in shown(contract):
        assert word not in str(content.get("example")), (name, status)
