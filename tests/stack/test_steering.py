"""A job is steered while a real worker trains it: one model, watched and changed as it learns."""

import json
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from tests.endless import ENDLESS
from trainshed import ProblemError
from trainshed.cli import app

IDLE = 1e-9  # a learning rate at which nothing is learned, however many epochs go by
PANDA = ENDLESS | {"optimizer": {"type": "gradient_descent", "learning_rate": IDLE}}
SHORT = {"data": {"train": "iris", "target": "label"}, "training": {"epochs": 4}, "checks": {"gradients": []}}


def trained_for(epochs: int) -> dict[str, object]:
    return {"training": PANDA["training"] | {"epochs": epochs}}


def trained(client, job_id: str, epochs: int, eventually) -> int:
    """Wait until so many more epochs are finished; the epoch then."""
    goal = client.jobs.get(job_id)["epoch"] + epochs
    eventually(lambda: client.jobs.get(job_id)["epoch"] >= goal)
    return client.jobs.get(job_id)["epoch"]


def paused(client, job_id: str, eventually) -> None:
    client.jobs.pause(job_id)
    eventually(lambda: client.jobs.get(job_id)["state"] == "paused")


def test_the_panda(client, eventually) -> None:
    job_id = client.jobs.submit(PANDA)["id"]
    trained(client, job_id, 2, eventually)
    for rate in (0.001, 0.01):
        client.jobs.change(job_id, {"optimizer": {"learning_rate": rate}}, note=f"try {rate}")
        eventually(lambda: client.jobs.hyperparameters(job_id)["data"][-1]["effective_epoch"] is not None)
        trained(client, job_id, 2, eventually)
    client.jobs.stop(job_id)
    job = client.jobs.wait(job_id, 120)
    assert job["stop_reason"] == "stopped_by_user"
    first, second = client.jobs.hyperparameters(job_id)["data"]
    assert [one["before"]["/optimizer/learning_rate"] for one in (first, second)] == [IDLE, 0.001]
    assert [one["after"] for one in (first, second)] == [{"/optimizer/learning_rate": rate} for rate in (0.001, 0.01)]
    assert second["note"] == "try 0.01"
    rows = client.jobs.metrics(job_id)
    assert [row["epoch"] for row in rows] == list(range(1, len(rows) + 1))
    for row in rows:
        in_force = [change["after"] for change in (first, second) if change["effective_epoch"] <= row["epoch"]]
        expected = in_force[-1]["/optimizer/learning_rate"] if in_force else IDLE
        assert row["learning_rate"] == pytest.approx(expected)
    untouched = client.jobs.wait(client.jobs.submit(PANDA | trained_for(len(rows)))["id"], 120)
    reached, twin = rows[-1]["train_cost"], client.jobs.metrics(untouched["id"])[-1]["train_cost"]
    assert reached < twin - 0.1

    again = client.jobs.wait(client.jobs.submit(PANDA | trained_for(1) | {"start_from": {"job": job_id}})["id"], 120)
    assert client.jobs.metrics(again["id"])[0]["train_cost"] < twin


def test_a_change_is_undone_by_going_back_to_its_checkpoint(client, eventually) -> None:
    job_id = client.jobs.submit(PANDA)["id"]
    trained(client, job_id, 1, eventually)
    client.jobs.change(job_id, {"optimizer": {"learning_rate": 0.01}}, note="a mistake")
    eventually(lambda: client.jobs.hyperparameters(job_id)["data"][0]["effective_epoch"] is not None)
    trained(client, job_id, 1, eventually)
    paused(client, job_id, eventually)
    [revision] = client.jobs.hyperparameters(job_id)["data"]
    job = client.jobs.resume(job_id, checkpoint=revision["checkpoint"])
    assert (job["revision"], job["epoch"]) == (0, revision["effective_epoch"] - 1)
    trained(client, job_id, 2, eventually)
    rows = client.jobs.metrics(job_id)
    assert [row["epoch"] for row in rows] == list(range(1, len(rows) + 1))
    assert {row["learning_rate"] for row in rows} == {IDLE}
    client.jobs.cancel(job_id)


def test_a_job_that_rested_comes_out_as_if_it_had_not(client, eventually) -> None:
    job_id = client.jobs.submit(ENDLESS | {"seed": 5})["id"]
    trained(client, job_id, 1, eventually)
    paused(client, job_id, eventually)
    assert client.jobs.checkpoints(job_id)[-1]["epoch"] >= 1
    states = [period["state"] for period in client.jobs.timeline(job_id)["data"]]
    assert states == ["queued", "running", "paused"]
    client.jobs.change(job_id, trained_for(client.jobs.get(job_id)["epoch"] + 3))
    client.jobs.resume(job_id)
    assert client.jobs.wait(job_id, 120)["state"] == "succeeded"
    again = client.jobs.rerun(job_id, key=uuid4().hex)["id"]
    assert client.jobs.wait(again, 120)["result"]["reproduces"] == {"job": job_id, "agrees": True}
    comparison = client.jobs.compare(job_id, again)
    assert comparison["differences"] == []
    first, second = comparison["curves"]["series"]["train_cost"]
    assert first == second and None not in first


def test_the_commands_say_what_the_client_does(stack, client, eventually) -> None:
    def run(*arguments: str, text: str = "") -> str:
        result = CliRunner(env={"TRAINSHED_URL": stack.url}).invoke(app, list(arguments), input=text)
        assert result.exit_code == 0, result.output
        return result.stdout.strip()

    job_id = run("job", "submit", "-", text=json.dumps(PANDA))
    trained(client, job_id, 1, eventually)
    eventually(lambda: any(line.endswith(job_id) for line in run("workers").splitlines()))
    changed = run("job", "change", job_id, "-", "--note", "why", text='{"optimizer": {"learning_rate": 0.02}}')
    assert changed == "revision 1\n  /optimizer/learning_rate  1e-09 → 0.02"
    eventually(lambda: client.jobs.hyperparameters(job_id)["data"][0]["effective_epoch"] is not None)
    assert run("job", "pause", job_id) in ("running, pause pending", "paused")
    eventually(lambda: client.jobs.get(job_id)["state"] == "paused")
    assert "revision 1" in run("job", "checkpoints", job_id).splitlines()[-1]
    assert run("job", "resume", job_id) == "queued"
    trained(client, job_id, 1, eventually)
    assert run("job", "stop", job_id) == "running, stop pending"
    client.jobs.wait(job_id, 120)
    other = run("job", "submit", "-", text=json.dumps(SHORT))
    client.jobs.wait(other, 120)
    assert '/data/train  "digits"  "iris"' in run("job", "compare", job_id, other)
    assert run("job", "rerun", other).startswith("job_")
    run("job", "delete", other)
    with pytest.raises(ProblemError, match="404"):
        client.jobs.get(other)
    assert run("job", "prune", "--older-than", "1d") == ""
    assert job_id in run("job", "prune", "--older-than", "0s").splitlines()
    wrong = CliRunner(env={"TRAINSHED_URL": stack.url}).invoke(app, ["job", "prune", "--older-than", "month"])
    assert wrong.exit_code == 2 and "30d" in wrong.stderr
