"""What a job may be is told over HTTP, and what is told is what is accepted."""

import httpx
from jsonschema import Draft202012Validator

from tests.service.shape import assert_problem
from tests.service.stored import Snapshot
from worker.settings import Settings


def test_the_schema_of_a_job_is_a_schema_and_accepts_the_gallery(client: httpx.Client) -> None:
    schema = client.get("/v1/schemas/job").json()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    presets = client.get("/v1/presets").json()["data"]
    assert len(presets) >= 10
    for preset in presets:
        validator.validate(preset["spec"])
        assert preset["look_at"]


def test_the_schema_of_a_job_says_what_this_service_allows(client: httpx.Client, settings: Settings) -> None:
    schema = client.get("/v1/schemas/job").json()
    assert schema["properties"]["layers"]["maxItems"] == settings.max_layers
    assert schema["$defs"]["Dense"]["properties"]["units"]["maximum"] == settings.max_units


def test_every_preset_is_accepted(client: httpx.Client, stored: Snapshot) -> None:
    for preset in client.get("/v1/presets").json()["data"]:
        answer = client.post("/v1/jobs", params={"validate_only": "true"}, json=preset["spec"])
        assert answer.status_code == 200, (preset["name"], answer.text)
    assert stored() == stored.before


def test_validate_only_answers_with_the_resolved_spec_and_the_cost(client: httpx.Client, stored: Snapshot) -> None:
    spec = {
        "data": {"train": "digits", "target": "label"},
        "layers": [{"type": "dense", "units": 32}, {"type": "batch_norm"}, {"type": "relu"}],
    }
    answer = client.post("/v1/jobs", params={"validate_only": "true"}, json=spec)
    assert answer.status_code == 200
    body = answer.json()
    assert body["spec"]["loss"]["type"] == "softmax_cross_entropy"
    assert body["spec"]["layers"][0] == {"type": "dense", "units": 32, "bias": False}
    assert body["spec"]["training"]["keep"] == "best"
    cost = body["cost"]
    assert cost["parameters"] == 64 * 32 + 32 + 32 + 32 * 10 + 10
    assert (cost["examples"], cost["steps_per_epoch"]) == (1078, 17)
    assert cost["flops_per_epoch"] == 6 * (64 * 32 + 32 * 10) * 1078
    assert cost["memory_bytes"] > 4 * 1797 * 64
    assert stored() == stored.before


def test_validate_only_refuses_what_a_job_would_be_refused_for(client: httpx.Client) -> None:
    spec = {"data": {"train": "digits", "target": "lable"}}
    problem = assert_problem(client.post("/v1/jobs", params={"validate_only": "true"}, json=spec), 422)
    assert problem["errors"][0]["pointer"] == "/data/target"
