"""Labels and rows of an NPZ over HTTP: one-hot rows are classes, booleans are true and false."""

import io
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

from tests.service.shape import assert_problem

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(240, 5))
CLASSES = (X[:, :3] + 0.05 * RANDOM.normal(size=(240, 3))).argmax(axis=1)
FIT = {
    "layers": [{"type": "dense", "units": 16}, {"type": "tanh"}],
    "training": {"epochs": 30},
    "optimizer": {"type": "adam", "learning_rate": 0.02},
}


def upload(client: httpx.Client, name: str, query: str = "", **arrays: np.ndarray) -> dict[str, Any]:
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    head = {"Content-Type": "application/x-npz"}
    answer = client.post(f"/v1/datasets?name={name}{query}", content=file.getvalue(), headers=head)
    assert answer.status_code == 201, answer.text
    uploaded: dict[str, Any] = answer.json()
    return uploaded


@pytest.mark.parametrize("loss", ["auto", "softmax_cross_entropy"])
def test_one_hot_rows_are_learned_as_the_numbers_of_their_classes_are(
    client: httpx.Client, train: Callable[..., str], loss: str
) -> None:
    summary = upload(client, f"hot-{loss}", x=X, y=np.eye(3)[CLASSES])["summary"]
    (guess,) = summary["guesses"]
    assert guess["what"] == "kind of labels" and guess["settle"] == "one_hot=false" and "0 to 2" in guess["detail"]
    upload(client, f"numbers-{loss}", x=X, y=CLASSES)
    results = [
        client.get(f"/v1/jobs/{job}").json()["result"]
        for job in (train(data={"train": f"{name}-{loss}", "target": "label"}, loss={"type": loss}, **FIT)
                    for name in ("hot", "numbers"))
    ]  # fmt: skip
    assert results[0]["test"] == results[1]["test"] and results[0]["test"]["accuracy"] > 0.85


def test_a_class_is_answered_by_its_number_however_many_there_are(
    client: httpx.Client, train: Callable[..., str]
) -> None:
    letters = np.arange(26).repeat(6)
    x = np.eye(26)[letters] + 0.01 * RANDOM.normal(size=(156, 26))
    upload(client, "letters", x=x, y=np.eye(26, dtype=bool)[letters])
    job = train(data={"train": "letters", "target": "label"}, **FIT)
    found = client.post(f"/v1/jobs/{job}/predict", json={"rows": [x[60].tolist()]}).json()["predictions"][0]
    assert found["label"] == 10 and found["labels"] == [10]  # for who reads the answers to columns of 0 and 1
    assert list(found["probabilities"]) == [str(number) for number in range(26)]


def test_one_hot_rows_stay_labels_where_that_is_said(client: httpx.Client, train: Callable[..., str]) -> None:
    assert upload(client, "beside", "&one_hot=false", x=X, y=np.eye(3)[CLASSES])["summary"]["guesses"] == []
    job = train(data={"train": "beside", "target": "label"}, loss={"type": "sigmoid_cross_entropy"})
    assert "labels" in client.post(f"/v1/jobs/{job}/predict", json={"rows": [X[0].tolist()]}).json()["predictions"][0]


@pytest.mark.parametrize("loss", ["sigmoid_cross_entropy", "mean_squared_error"])
def test_a_loss_that_tells_no_classes_apart_is_refused_with_the_way_out(client: httpx.Client, loss: str) -> None:
    upload(client, f"apart-{loss}", x=X, y=np.eye(3)[CLASSES])
    spec = {"data": {"train": f"apart-{loss}", "target": "label"}, "loss": {"type": loss}}
    problem = assert_problem(client.post("/v1/jobs", json=spec), 422)
    assert problem["errors"][0]["pointer"] == "/loss/type" and "one_hot=false" in problem["detail"]


def test_booleans_are_predicted_as_the_preview_shows_them(client: httpx.Client, train: Callable[..., str]) -> None:
    x = RANDOM.random((80, 4)) > 0.5
    upload(client, "switches", x=x, y=x[:, 0])
    rows = client.get("/v1/datasets/switches/preview?limit=4").json()["rows"]
    assert rows[0]["x"] == x[0].tolist() and rows[0]["label"] is bool(x[0, 0])
    path = f"/v1/jobs/{train(data={'train': 'switches', 'target': 'label'}, **FIT)}/predict"
    found = client.post(path, json={"rows": [{"x": row["x"]} for row in rows]}).json()["predictions"]
    assert [one["label"] for one in found] == [row["label"] for row in rows]
    for other in ([row["x"] for row in rows], [[int(value) for value in row["x"]] for row in rows]):
        assert client.post(path, json={"rows": other}).json()["predictions"] == found


def test_truth_is_no_number_in_an_array_of_numbers(client: httpx.Client, train: Callable[..., str]) -> None:
    upload(client, "plain-numbers", x=X, y=CLASSES)
    path = f"/v1/jobs/{train(data={'train': 'plain-numbers', 'target': 'label'})}/predict"
    detail = assert_problem(client.post(path, json={"rows": [{"x": [1, 2, True, 4, 5]}]}), 422)["detail"]
    assert "holds true; it takes numbers" in detail
