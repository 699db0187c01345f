"""How a version answers: strict or not, and from which probability on it says yes; on every way in."""

import csv
import io
from collections.abc import Callable

import httpx
import pytest

from tests.service.shape import assert_problem

ROWS = [{"age": 20 + 5 * step, "city": "Rome"} for step in range(13)]


@pytest.fixture(scope="module")
def job(client: httpx.Client, train: Callable[..., str]) -> str:
    """A job that tells yes and no apart by an age."""
    lines = [f"P{age},{age},{'Rome' if age % 2 else 'Oslo'},{'yes' if age > 50 else 'no'}" for age in range(20, 80)]
    body = "\n".join(["id,age,city,ill", *lines])
    answer = client.post("/v1/datasets?name=served", content=body, headers={"Content-Type": "text/csv"})
    assert answer.status_code in (200, 201), answer.text
    columns = {"id": {"type": "ignore"}}
    return train(data={"train": "served", "target": "ill", "columns": columns}, serving={"threshold": 0.3})


@pytest.fixture
def model(client: httpx.Client, job: str, request: pytest.FixtureRequest) -> str:
    """The path of a model of its own for each test."""
    path = f"/v1/models/served-{abs(hash(request.node.name))}"
    assert client.post(f"{path}/versions", json={"job": job}).status_code == 201
    return path


def agrees(label: str, probability: float, threshold: float) -> bool:
    return (label == "yes") == (probability >= threshold)


def test_a_version_is_registered_with_what_the_job_or_the_request_says(client: httpx.Client, job: str) -> None:
    by_job = client.post("/v1/models/by-job/versions", json={"job": job}).json()
    assert (by_job["strict"], by_job["threshold"]) == (False, 0.3)
    wanted = {"job": job, "strict": True, "threshold": 0.8}
    by_request = client.post("/v1/models/by-request/versions", json=wanted).json()
    assert (by_request["strict"], by_request["threshold"]) == (True, 0.8)
    card = client.get("/v1/models/by-request/card", headers={"Accept": "text/markdown"}).text
    assert "From a probability of 0.8 on it answers yes." in card and "It refuses rows with missing" in card


@pytest.mark.parametrize("threshold", [None, 0.05, 0.95])
def test_every_way_in_decides_by_the_threshold(client: httpx.Client, model: str, threshold: float | None) -> None:
    """That of the request, or else of the version, 0.3."""
    decides = 0.3 if threshold is None else threshold
    query = {} if threshold is None else {"threshold": threshold}
    answers = client.post(f"{model}/predict", json={"rows": ROWS}, params=query).json()["predictions"]
    assert all(agrees(one["label"], one["probabilities"]["yes"], decides) for one in answers)
    labels = [one["label"] for one in answers]

    body = "age,city\n" + "".join(f"{row['age']},{row['city']}\n" for row in ROWS)
    answer = client.post(f"{model}/predict", content=body, headers={"Content-Type": "text/csv"}, params=query)
    assert [row["label"] for row in csv.DictReader(io.StringIO(answer.text))] == labels

    ranked = client.post(f"{model}/predict", json={"rows": ROWS}, params={**query, "top_k": 1}).json()["predictions"]
    assert [one["label"] for one in ranked] == labels

    inputs = [
        {"name": "age", "datatype": "FP64", "shape": [len(ROWS), 1], "data": [row["age"] for row in ROWS]},
        {"name": "city", "datatype": "BYTES", "shape": [len(ROWS), 1], "data": [row["city"] for row in ROWS]},
    ]
    asked = {"inputs": inputs, "parameters": query}
    outputs = client.post(f"/v2/models/{model.removeprefix('/v1/models/')}/infer", json=asked).json()["outputs"]
    assert outputs[0]["data"] == labels


def test_a_change_counts_from_the_next_request_on(client: httpx.Client, model: str) -> None:
    def labels() -> set[str]:
        predictions = client.post(f"{model}/predict", json={"rows": ROWS}).json()["predictions"]
        return {one["label"] for one in predictions}

    changed = client.patch(f"{model}/versions/1", json={"threshold": 0.0}).json()
    assert (changed["strict"], changed["threshold"]) == (False, 0.0)
    assert labels() == {"yes"}
    assert client.patch(f"{model}/versions/1", json={"threshold": 1.0}).status_code == 200
    assert labels() == {"no"}
    strict = client.patch(f"{model}/versions/1", json={"strict": True}).json()  # what is left out stays
    assert (strict["strict"], strict["threshold"]) == (True, 1.0)
    lenient = client.patch(f"{model}/versions/1", json={"strict": False, "threshold": None}).json()
    assert (lenient["strict"], lenient["threshold"]) == (False, None)


def test_a_strict_version_refuses_what_another_fills_in_or_passes_over(client: httpx.Client, model: str) -> None:
    rows = [{"age": 30, "city": "Rome"}, {"city": "Rome"}, {"age": None, "city": "Rome"}]
    more = [rows[0], {"age": 30, "city": "Rome", "zebra": 1}]
    csv_header = {"Content-Type": "text/csv"}
    for sent in (rows, more):
        assert client.post(f"{model}/predict", json={"rows": sent}).status_code == 200
    client.patch(f"{model}/versions/1", json={"strict": True})
    problem = assert_problem(client.post(f"{model}/predict", json={"rows": rows}), 422)
    assert [error["pointer"] for error in problem["errors"]] == ["/rows/1/age", "/rows/2/age"]
    problem = assert_problem(client.post(f"{model}/predict", json={"rows": more}), 422)
    assert [error["pointer"] for error in problem["errors"]] == ["/rows/1/zebra"]
    assert "'zebra'" in problem["detail"] and "strict" in problem["detail"]
    sent = client.post(f"{model}/predict", content="age,city,zebra\n,Rome,1\n", headers=csv_header)
    assert {error["pointer"] for error in assert_problem(sent, 422)["errors"]} == {
        "/rows/0/age",
        "/rows/0/zebra",
    }
    whole = client.post(f"{model}/predict", json={"rows": rows[:1]})
    assert whole.status_code == 200
    name = model.removeprefix("/v1/models/")
    city = {"name": "city", "datatype": "BYTES", "shape": [1, 1], "data": ["Rome"]}
    age = {"name": "age", "datatype": "FP64", "shape": [1, 1], "data": [30]}
    for inputs in ([city], [age, city, {**age, "name": "zebra"}]):
        refused = client.post(f"/v2/models/{name}/infer", json={"inputs": inputs})
        assert refused.status_code == 400 and "strict" in refused.json()["error"]
    problem = assert_problem(client.post(f"{model}/batch-predictions", json={"dataset": "served", "keep": []}), 422)
    assert "'id'" in problem["detail"]


def test_a_threshold_that_decides_nothing_is_refused(client: httpx.Client, train: Callable[..., str]) -> None:
    job = train()  # of iris, three classes
    path = "/v1/models/three/versions"
    problem = assert_problem(client.post(path, json={"job": job, "threshold": 0.3}), 422)
    assert problem["errors"][0]["pointer"] == "/threshold" and "3 apart" in problem["detail"]
    assert client.post(path, json={"job": job}).status_code == 201
    flower = [[5.1, 3.5, 1.4, 0.2]]
    sent = client.post("/v1/models/three/predict?threshold=0.3", json={"rows": flower})
    assert assert_problem(sent, 422)["errors"][0]["pointer"] == "/threshold"
    spec = {"data": {"train": "iris", "target": "label"}, "serving": {"threshold": 0.3}}
    problem = assert_problem(client.post("/v1/jobs", json=spec), 422)
    assert problem["errors"][0]["pointer"] == "/serving/threshold"
    assert_problem(client.patch("/v1/models/three/versions/1", json={"threshold": 0.3}), 422)
    assert_problem(client.patch("/v1/models/three/versions/1", json={"threshold": 1.3}), 422)
    assert_problem(client.patch("/v1/models/three/versions/2", json={"strict": True}), 404)
