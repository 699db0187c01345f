"""Registered models through the client and the command: from `register_as` to a predicted dataset."""

import csv
import json

import pytest
from typer.testing import CliRunner

from engine import load
from trainshed import ProblemError
from trainshed.cli import app

SPEC = {"data": {"train": "iris", "target": "label"}, "training": {"epochs": 2}, "checks": {"gradients": []}}
FLOWERS = [[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]]


@pytest.fixture
def run(stack):
    """Run a command against the running stack."""

    def invoke(*arguments: str, text: str = ""):
        return CliRunner(env={"TRAINSHED_URL": stack.url}).invoke(app, list(arguments), input=text)

    return invoke


def test_a_model_is_registered_by_its_job_and_serves(client, run, tmp_path) -> None:
    first = client.jobs.wait(client.jobs.submit({**SPEC, "register_as": "irises"})["id"], 120)
    (told,) = [event["data"] for event in client.jobs.stream(first["id"]) if event["type"] == "registered"]
    assert told == {"model": "irises", "version": 1}
    second = client.jobs.wait(client.jobs.submit({**SPEC, "seed": 1})["id"], 120)
    assert run("model", "register", "irises", second["id"]).stdout == "2\n"
    assert client.models.register("irises", second["id"])["version"] == 2  # once more is the same
    assert run("model", "alias", "irises", "production", "1").stdout == "1\n"
    assert client.models.set_alias("irises", "production", 2)["version"] == 2
    assert "irises  newest=2  production=2" in run("model", "list").stdout
    assert run("model", "alias", "irises", "production", "--rollback").stdout == "1\n"
    assert client.models.get("irises")["aliases"] == {"production": 1}
    assert [one["job"] for one in client.models.versions("irises")] == [second["id"], first["id"]]

    answer = client.models.predict("irises", FLOWERS, alias="production")
    assert (answer["version"], answer["predictions"]) == (1, client.jobs.predict(first["id"], FLOWERS))
    lines = run("model", "predict", "irises", "-", "--version", "1", text=json.dumps(FLOWERS)).stdout.splitlines()
    assert [json.loads(line) for line in lines] == answer["predictions"]

    file = tmp_path / "model.safetensors"
    client.models.download("irises", file, alias="production")
    assert load(file).predict(FLOWERS) == answer["predictions"]

    result = tmp_path / "iris.csv"
    said = run("batch", "predict", "irises", "iris", str(result), "--alias", "production")
    assert said.stdout == "150 rows, irises version 1\n", said.output
    with result.open() as lines_of_file:
        rows = list(csv.DictReader(lines_of_file))
    assert len(rows) == 150 and {row["label"] for row in rows} <= {"0", "1", "2"}


def test_a_version_answers_by_its_threshold_and_a_result_keeps_its_ids(client, run, tmp_path) -> None:
    rows = [{"who": f"P{age}", "age": age, "ill": "yes" if age > 50 else "no"} for age in range(20, 80)]
    client.datasets.upload("patients", json.dumps(rows).encode(), "application/json")
    columns = {"who": {"type": "ignore"}}
    spec = {"data": {"train": "patients", "target": "ill", "columns": columns}, "training": {"epochs": 2}}
    job = client.jobs.wait(client.jobs.submit(spec)["id"], 120)
    assert run("model", "register", "patients", job["id"], "--threshold", "0").stdout == "1\n"
    asked = json.dumps([{"age": 21}])
    assert '"label": "yes"' in run("model", "predict", "patients", "-", text=asked).stdout
    assert '"label": "no"' in run("model", "predict", "patients", "-", "--threshold", "1", text=asked).stdout
    said = run("model", "change", "patients", "1", "--strict", "--no-threshold")
    assert said.stdout == "strict=true  threshold=null\n", said.output
    with pytest.raises(ProblemError, match="strict"):
        client.models.predict("patients", [{"age": None}])

    for options, names in (([], ["who", "label"]), (["--keep", "age"], ["age", "label"])):
        result = tmp_path / "patients.csv"
        lenient = run("model", "change", "patients", "1", "--lenient")
        assert lenient.exit_code == 0, lenient.output
        assert run("batch", "predict", "patients", "patients", str(result), *options).exit_code == 0
        with result.open() as lines:
            found = list(csv.DictReader(lines))
        assert list(found[0])[:2] == names
        assert [row[names[0]] for row in found] == [str(row[names[0]]) for row in rows]


def test_a_name_that_cannot_be_is_refused_when_the_job_is_submitted(client) -> None:
    for name in ("", "two words", "job_" + "0" * 32):
        with pytest.raises(ProblemError) as refused:
            client.jobs.submit({**SPEC, "register_as": name})
        assert refused.value.status == 422 and refused.value.errors[0]["pointer"] == "/register_as"
