"""Every kind of bad spec is a 4xx that points to the field; nothing is stored."""

import json
import random

import httpx
import pytest

from tests.service.bad_specs import BAD_BYTES, BAD_SPECS, SMALLEST, BadBytes, BadSpec
from tests.service.shape import assert_problem
from tests.service.stored import Snapshot

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("bad", BAD_SPECS, ids=lambda bad: bad.name)
def test_a_bad_spec_is_refused_at_its_field(client: httpx.Client, stored: Snapshot, bad: BadSpec) -> None:
    answer = client.post("/v1/jobs", json=bad.spec)
    problem = assert_problem(answer, 422)
    assert bad.pointer in [error["pointer"] for error in problem["errors"]], problem
    assert any(bad.says in error["detail"] for error in problem["errors"] if error["pointer"] == bad.pointer), problem
    assert stored() == stored.before


@pytest.mark.parametrize("bad", BAD_BYTES, ids=lambda bad: bad.name)
def test_a_body_that_is_no_proper_json_is_refused(client: httpx.Client, stored: Snapshot, bad: BadBytes) -> None:
    problem = assert_problem(client.post("/v1/jobs", content=bad.body, headers=JSON), bad.status)
    pointers = [error["pointer"] for error in problem["errors"]]
    assert pointers == ([] if bad.pointer is None else [bad.pointer]), problem
    assert stored() == stored.before


def test_an_integer_may_be_written_as_a_float(client: httpx.Client) -> None:
    answer = client.post("/v1/jobs", json={"data": {"train": "iris", "target": "label"}, "training": {"epochs": 4.0}})
    assert answer.status_code == 201, answer.text
    assert answer.json()["epochs"] == 4


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None]
)
def test_a_spec_must_say_that_it_is_json(client: httpx.Client, stored: Snapshot, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    problem = assert_problem(client.post("/v1/jobs", content=SMALLEST + b"}", headers=headers), 415)
    assert "application/json" in problem["detail"] and "--json in place of -d" in problem["detail"]
    assert stored() == stored.before


def test_all_faults_are_named_at_once(client: httpx.Client) -> None:
    spec = {"data": {"train": "iris"}, "layers": [{"type": "dense"}], "sed": 1}
    problem = assert_problem(client.post("/v1/jobs", json=spec), 422)
    assert {error["pointer"] for error in problem["errors"]} == {"/data/target", "/layers/0/units", "/sed"}


def test_a_body_full_of_faults_is_answered_with_the_first(client: httpx.Client) -> None:
    spec = {"data": {"train": "iris", "target": "label"}, **{f"x{number}": 0 for number in range(10_000)}}
    problem = assert_problem(client.post("/v1/jobs", json=spec), 422)
    assert [error["pointer"] for error in problem["errors"]] == [f"/x{number}" for number in range(20)]
    assert problem["detail"].endswith("(and 9999 more)")


def test_a_refusal_is_pure_ascii_and_standard_json(client: httpx.Client) -> None:
    answer = client.post("/v1/jobs", json={"data": {"train": "zahlen-ü-✓", "target": "label"}})
    assert answer.content.isascii()
    json.loads(answer.content, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_no_mutation_of_a_spec_is_a_bug_of_ours(client: httpx.Client) -> None:
    seed = 20_240
    chance = random.Random(seed)  # noqa: S311  # repeatable, not secret
    good = b'{"data": {"train": "iris", "target": "label"}, "layers": [{"type": "dense", "units": 4}], "seed": 1}'
    for _ in range(300):
        body = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        answer = client.post("/v1/jobs", content=bytes(body), headers=JSON)
        if answer.status_code != 201:
            assert answer.status_code in (400, 422), (seed, bytes(body), answer.text)
            assert_problem(answer, answer.status_code)
