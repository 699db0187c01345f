"""The commands that speak to a service: what a person types and reads."""

import csv
import json
import re

import pytest
from typer.testing import CliRunner

from tests.endless import ENDLESS
from trainshed.cli import app

SPEC = {"name": "typed", "data": {"train": "iris", "target": "label"}, "training": {"epochs": 3}}


@pytest.fixture
def run(stack):
    """Run a command against the running stack."""

    def invoke(*arguments: str, text: str = ""):
        return CliRunner(env={"TRAINSHED_URL": stack.url}).invoke(app, list(arguments), input=text)

    return invoke


def test_a_job_is_submitted_followed_read_and_used(run, tmp_path) -> None:
    file = tmp_path / "spec.json"
    file.write_text(json.dumps(SPEC))
    submitted = run("job", "submit", "--follow", str(file))
    assert submitted.exit_code == 0, submitted.output
    job_id, *events = submitted.stdout.splitlines()
    assert job_id.startswith("job_")
    assert any(event.startswith("epoch epoch=3 epochs=3 ") and " train_cost=" in event for event in events)

    assert json.loads(run("job", "show", job_id).stdout)["state"] == "succeeded"
    assert run("job", "watch", job_id).stdout.splitlines() == events
    assert job_id in run("job", "list", "--limit", "100").stdout
    predicted = run("job", "predict", job_id, "-", text='{"rows": [[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]]}')
    assert [set(json.loads(line)) for line in predicted.stdout.splitlines()] == [{"label", "probabilities"}] * 2


def test_a_gradient_check_is_a_table_with_a_row_per_tensor(run) -> None:
    layers = [{"type": "dense", "units": 8}, {"type": "tanh"}]
    job_id = run("job", "submit", "--follow", "-", text=json.dumps(SPEC | {"layers": layers})).stdout.split()[0]
    checked = run("job", "check", job_id, "--at", "start", "--sided", "one", "--epsilon", "1e-5", "--sample", "20")
    assert checked.exit_code == 0, checked.output
    assert "start, one-sided, ε = 1e-05" in checked.stdout
    for tensor in ("W1", "b1", "W2", "b2", "all"):
        assert re.search(rf"^│ {tensor} +│ +\d+/\d+ │ \d\.\de-\d\d \w+", checked.stdout, re.MULTILINE), tensor
    refused = run("job", "check", job_id, "--at", "1000")
    assert refused.exit_code == 1
    assert "/at" in refused.stderr


def test_jobs_are_printed_as_a_table(run) -> None:
    job_id = run("job", "submit", "--follow", "-", text=json.dumps(SPEC)).stdout.split()[0]
    table = run("job", "list", "--fields", "id,state,result.test.accuracy", "--limit", "1").stdout
    ((found, state, accuracy),) = list(csv.reader(table.splitlines()))[1:]
    assert (found, state) == (job_id, "succeeded") and 0 <= float(accuracy) <= 1
    assert run("job", "list", "--csv", "--limit", "1").stdout.splitlines()[1].startswith(f"{job_id},")
    assert "did you mean 'state'" in run("job", "list", "--fields", "id,stat").stderr


def test_a_job_can_be_cancelled_and_then_its_log_says_so(run) -> None:
    job_id = run("job", "submit", "-", text=json.dumps(ENDLESS)).stdout.strip()
    assert run("job", "cancel", job_id).exit_code == 0
    logs = run("job", "watch", job_id)
    assert logs.exit_code == 1
    assert "cancelled" in logs.stderr


@pytest.mark.parametrize(
    ("arguments", "text", "said"),
    [
        (["job", "submit", "-"], "{", "not JSON"),
        (["job", "submit", "-"], "[]", "JSON object"),
        (["job", "submit", "-"], '{"data": {"train": "digitz", "target": "label"}}', "/data/train"),
        (["job", "show", "job_1"], "", "404"),
        (["job", "predict", "job_1", "-"], "3", "no rows"),
        (["job", "list", "--url", "http://127.0.0.1:9"], "", "trainshed serve"),
    ],
)
def test_what_is_wrong_is_said_on_stderr(run, arguments, text, said) -> None:
    result = run(*arguments, text=text)
    assert result.exit_code == 1
    assert said in result.stderr
    assert "Traceback" not in result.output
