"""The commands that speak to a service: what a person types and reads."""

import csv
import json
import re

import numpy as np
import onnxruntime
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


def test_a_preset_is_shown_and_can_be_validated_and_submitted(run) -> None:
    listed = [line.partition(":")[0] for line in run("preset", "list").stdout.splitlines()]
    spec = run("preset", "show", listed[0]).stdout
    validated = json.loads(run("job", "validate", "-", text=spec).stdout)
    assert validated["cost"]["parameters"] > 0
    assert validated["spec"]["data"]["train"] == json.loads(spec)["data"]["train"] == "breast_cancer"
    assert listed[1] in run("preset", "show", "nothing").stderr


def test_a_dataset_is_uploaded_looked_at_and_checked(run, tmp_path) -> None:
    file = tmp_path / "exam.csv"
    rows = ((x, x * 13 % 7, "yes" if x > 50 else "no") for x in np.arange(100) * 37 % 100)
    file.write_text("x,z,y\n" + "".join(f"{x},{z},{y}\n" for x, z, y in rows))
    uploaded = run("dataset", "upload", str(file)).stdout
    dataset_id = uploaded.split()[0]
    assert uploaded == f"{dataset_id}  exam@1  100 rows\n"
    assert dataset_id in run("dataset", "list", "--name", "exam").stdout
    assert json.loads(run("dataset", "show", "exam").stdout)["id"] == dataset_id
    told = run("dataset", "check", "exam", "--target", "y")
    assert told.exit_code == 1 and told.stdout.startswith("serious: 'x' alone predicts 'y'")
    assert run("dataset", "check", "iris", "--target", "label").exit_code == 0
    told = run("dataset", "check", "exam", "--target", "z")  # with what settles a guess, as it can be sent
    assert '{"job": {"loss": {"type": "mean_squared_error"}}}\n' in told.stdout
    (tmp_path / "exam.txt").write_bytes(file.read_bytes())
    assert "'.txt'" in run("dataset", "upload", str(tmp_path / "exam.txt")).stderr
    renamed = run("dataset", "upload", str(tmp_path / "exam.txt"), "--media-type", "text/csv", "--name", "other")
    assert "other@1" in renamed.stdout
    (tmp_path / "marks.csv").write_text("5.5;a\n4.5;b\n5.0;a\n4.0;b\n")
    guessed = run("dataset", "upload", str(tmp_path / "marks.csv")).stdout
    assert "marks@1  4 rows\n" in guessed and "guessed: " in guessed and "(--set header=false)" in guessed
    settled = ("--set", "header=false", "--set", "delimiter=semicolon")
    assert "guessed" not in run("dataset", "upload", str(tmp_path / "marks.csv"), *settled).stdout
    assert "header=…" in run("dataset", "upload", str(tmp_path / "marks.csv"), "--set", "header").stderr
    for name in ("exam", "other", "marks"):
        assert run("dataset", "delete", name).exit_code == 0
    assert "404" in run("dataset", "show", "exam").stderr


def test_parameters_are_uploaded_and_listed_with_their_shapes(run, tmp_path) -> None:
    np.savez(tmp_path / "start.npz", W1=np.zeros((4, 3)), b1=np.zeros(3))
    uploaded = run("parameters", "upload", str(tmp_path / "start.npz")).stdout
    assert uploaded.endswith("  start  W1 4x3, b1 3\n")
    assert uploaded in run("parameters", "list").stdout


def test_what_a_job_made_is_measured_judged_registered_and_taken_away(run, tmp_path) -> None:
    job_id = run("job", "submit", "--follow", "-", text=json.dumps(SPEC)).stdout.split()[0]
    rows = list(csv.DictReader(run("job", "metrics", job_id).stdout.splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"] and float(rows[0]["train_cost"]) > 0
    assert re.match("(low|high) (bias|variance)", run("job", "diagnose", job_id).stdout)
    assert run("model", "register", "typed", job_id).stdout == "1\n"
    assert json.loads(run("model", "show", "typed").stdout)["newest"] == 1
    run("model", "alias", "typed", "production", "1")
    assert re.fullmatch(rf" +1  \S+  {job_id}  production\n", run("model", "versions", "typed").stdout)
    assert run("model", "card", "typed").stdout.startswith("# typed version 1 (production)\n")
    assert run("model", "download", "typed", str(tmp_path / "typed.onnx")).exit_code == 0
    assert onnxruntime.InferenceSession(tmp_path / "typed.onnx").get_outputs()
    assert ".onnx" in run("model", "download", "typed", str(tmp_path / "typed.pt")).stderr
    run("batch", "predict", "typed", "iris", str(tmp_path / "said.csv"))
    assert len((tmp_path / "said.csv").read_text().splitlines()) == 151
    batch_id, *about = run("batch", "list", "typed").stdout.split()
    assert about[1:] == ["succeeded", "150/150", "iris"]
    assert run("batch", "delete", "typed", batch_id).exit_code == 0
    assert run("batch", "list", "typed").stdout == ""


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
