"""What features are worth, how an answer moves with them, and whether requests still look like the training rows."""

from collections.abc import Callable

import httpx
import numpy as np
import pytest
from sklearn.datasets import load_iris

from engine import load
from engine.importance import permutation_importance
from engine.saliency import saliency
from tests.service.shape import assert_problem
from worker.workspace import Workspace

ROW = [5.1, 3.5, 1.4, 0.2]


@pytest.fixture(scope="module")
def flowers(client: httpx.Client, train: Callable[..., str]) -> str:
    """The path of a model of iris flowers."""
    job = train(training={"epochs": 10}, optimizer={"type": "adam", "learning_rate": 0.05})
    assert client.post("/v1/models/explained/versions", json={"job": job}).status_code == 201
    return "/v1/models/explained"


def test_importance_is_the_engines(client: httpx.Client, backend: Workspace, flowers: str) -> None:
    wanted = {"dataset": "iris", "rows": 100, "repeats": 3, "seed": 4}
    answer = client.post(f"{flowers}/explain", json=wanted)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["model"], told["version"], told["gradient"]) == ("explained", 1, None)
    model = load(backend.models.version_path(backend.models.version("explained")))
    table = backend.models.labelled_table(model, "iris", pointer="")
    expected = permutation_importance(model, table, rows=100, repeats=3, seed=4)
    assert told["importance"] == expected.model_dump(mode="json")
    assert told["importance"]["score"] > 0.8 and told["importance"]["features"][0]["importance"] > 0.05


def test_the_gradient_is_the_engines(client: httpx.Client, backend: Workspace, flowers: str) -> None:
    model = load(backend.models.version_path(backend.models.version("explained")))
    told = client.post(f"{flowers}/explain", json={"row": ROW}, params={"version": 1}).json()
    assert told["gradient"] == saliency(model, ROW).model_dump(mode="json")
    named = dict(zip(model.preprocessor.shapes, ROW, strict=True))
    told = client.post(f"{flowers}/explain", json={"row": named, "output": "2"}).json()
    assert told["gradient"] == saliency(model, ROW, "2").model_dump(mode="json")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"dataset": "iris", "row": ROW}, ""),
        ({"dataset": "nothing"}, "/dataset"),
        ({"dataset": "wine"}, "/dataset"),
        ({"row": ROW[:2]}, "/row"),
        ({"row": [1, 2, "x", 4]}, "/row/2"),
        ({"row": ROW, "output": "setosa"}, "/output"),
        ({"dataset": "iris", "repeats": 1000}, "/repeats"),
    ],
)
def test_what_cannot_be_explained_is_refused(
    client: httpx.Client, flowers: str, body: dict[str, object], pointer: str
) -> None:
    problem = assert_problem(client.post(f"{flowers}/explain", json=body), 422)
    assert pointer in [error["pointer"] for error in problem["errors"]], problem


def test_drift_is_watched_where_it_is_wanted(client: httpx.Client, backend: Workspace, flowers: str) -> None:
    path = f"{flowers}/drift"
    problem = assert_problem(client.get(path), 409)
    assert problem["code"] == "nothing_to_compare" and '{"drift": true}' in problem["detail"]
    assert client.put(flowers, json={"drift": True}).json()["drift"] is True
    iris = load_iris()
    names = list(load(backend.models.version_path(backend.models.version("explained"))).preprocessor.shapes)
    rows = iris.data[:, [iris.feature_names.index(name) for name in names]]
    for start in range(0, len(rows), 30):  # in all forms of rows
        part = rows[start : start + 30].astype(float)
        if start % 60:
            client.post(f"{flowers}/predict", json={"rows": part.tolist()})
        else:
            kind = {"Content-Type": "application/octet-stream"}
            client.post(f"{flowers}/predict", content=part.astype("<f4").tobytes(), headers=kind)
    alike = client.get(path).json()
    assert (alike["seen"], alike["request_rows"], alike["drifted"]) == (150, 150, False), alike
    client.put(flowers, json={"drift": False})  # forgets them
    client.put(flowers, json={"drift": True})
    moved = [dict(zip(names, row, strict=True)) for row in (rows + np.array([0.0, 0.0, 3.0, 0.0])).tolist()]
    assert client.post(f"{flowers}/predict", json={"rows": moved}).status_code == 200
    drifted = client.get(path).json()
    assert drifted["drifted"] is True and drifted["auc"] > alike["auc"] + 0.1
    assert drifted["shifted"][0]["column"] == names[2]
    client.put(flowers, json={"drift": False})
    assert_problem(client.get(path), 409)
