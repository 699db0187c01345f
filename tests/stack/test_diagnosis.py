"""A finished job is diagnosed, layer by layer and as a whole, and the next job is ready to be submitted."""

import pytest
from pydantic import JsonValue

from trainshed import Client, ProblemError
from trainshed.stack import Stack

OVERFITTING: dict[str, JsonValue] = {
    "data": {
        "train": "moons",
        "target": "label",
        "split": {"type": "fractions", "train": 0.1, "dev": 0.6, "test": 0.3},
    },
    "layers": [{"type": "dense", "units": 64}, {"type": "relu"}],
    "optimizer": {"type": "adam", "learning_rate": 0.02},
    "training": {"epochs": 150, "batch_size": "full", "keep": "last"},
}


@pytest.fixture(scope="module")
def overfitted(stack: Stack) -> str:
    with stack.client() as client:
        return client.jobs.wait(client.jobs.submit(OVERFITTING)["id"], 120)["id"]


def test_an_overfitted_job_is_told_so_and_its_next_step_trains(client: Client, overfitted: str) -> None:
    diagnosis = client.jobs.diagnosis(overfitted)
    assert diagnosis["verdict"] == "high variance"
    assert [step["against"] for step in diagnosis["next_steps"]] == ["variance"] * len(diagnosis["next_steps"])
    for step in diagnosis["next_steps"]:
        client.jobs.validate(step["spec"])
    follow_up = client.jobs.submit(diagnosis["next_steps"][0]["spec"])
    assert client.jobs.wait(follow_up["id"], 120)["state"] == "succeeded"


def test_the_layers_are_told_epoch_by_epoch(client: Client, overfitted: str) -> None:
    rows = client.jobs.layers(overfitted)
    assert [row["epoch"] for row in rows] == list(range(1, 101))
    assert [layer["layer"] for layer in rows[0]["layers"]] == [1, 2]
    assert client.jobs.layers(overfitted, after=149)[0]["epoch"] == 150


def test_costs_come_with_their_trend(client: Client, overfitted: str) -> None:
    rows = client.jobs.metrics(overfitted, smoothing=0.5)
    costs = [row["train_cost"] for row in rows]
    assert len(costs) == 150
    assert rows[0]["train_cost_smoothed"] == pytest.approx(costs[0])
    assert rows[1]["train_cost_smoothed"] == pytest.approx((0.5 * costs[0] * 0.5 + 0.5 * costs[1]) / 0.75)
    thinned = client.jobs.metrics(overfitted, smoothing=0.5, max_points=10)
    assert len(thinned) <= 10
    by_epoch = {row["epoch"]: row for row in rows}
    for row in thinned:
        assert row == by_epoch[row["epoch"]]


def test_a_job_without_a_result_has_no_diagnosis(client: Client) -> None:
    waiting = client.jobs.submit({**OVERFITTING, "device": "gpu"})  # no worker here takes it
    with pytest.raises(ProblemError) as refused:
        client.jobs.diagnosis(waiting["id"])
    assert refused.value.status == 409
    assert "queued" in str(refused.value)
    assert client.jobs.cancel(waiting["id"])["state"] == "cancelled"
