"""A job's model answers over HTTP what it answers in Python; every bad row is named."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest

from engine import load
from tests.service.running import Running
from tests.service.shape import assert_problem
from worker.workspace import Workspace

FLOWERS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]


@pytest.fixture(scope="module")
def trained(train: Callable[..., str]) -> str:
    """A job that a worker's process has really trained, in this process."""
    return train(training={"epochs": 5}, checks={"gradients": ["end"]})


def test_rows_may_be_arrays_or_objects(client: httpx.Client, backend: Workspace, trained: str) -> None:
    path = f"/v1/jobs/{trained}/predict"
    arrays = client.post(path, json={"rows": FLOWERS})
    assert arrays.status_code == 200, arrays.text
    model = load(backend.jobs.model_path(trained))
    names = list(model.preprocessor.shapes)
    objects = client.post(path, json={"rows": [dict(zip(names, row, strict=True)) for row in FLOWERS]})
    assert objects.json() == arrays.json()
    for said, expected in zip(arrays.json()["predictions"], model.predict(np.array(FLOWERS)), strict=True):
        assert said["label"] == expected["label"]
        assert sum(said["probabilities"].values()) == pytest.approx(1)


def test_every_bad_row_is_named(client: httpx.Client, backend: Workspace, trained: str) -> None:
    names = list(load(backend.jobs.model_path(trained)).preprocessor.shapes)
    good = dict(zip(names, FLOWERS[0], strict=True))
    rows = [
        good,
        {**good, names[1]: "wide"},
        {**good, names[2]: True},
        {"colour": 1},
        FLOWERS[0][:3],
    ]
    problem = assert_problem(client.post(f"/v1/jobs/{trained}/predict", json={"rows": rows}), 422)
    assert problem["code"] == "invalid_row"
    pointers = [error["pointer"] for error in problem["errors"]]
    assert pointers[:3] == [f"/rows/1/{names[1]}", f"/rows/2/{names[2]}", "/rows/3"]
    assert len(pointers) == 4 and pointers[3].startswith("/rows/4")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/rows"),
        ({"rows": []}, "/rows"),
        ({"rows": [1, 2]}, "/rows/0"),
        ({"rows": FLOWERS[0]}, "/rows/0"),
        ({"row": FLOWERS}, "/row"),
        ({"rows": [[]] * 10_001}, "/rows"),
    ],
)
def test_a_body_without_rows_is_refused(client: httpx.Client, trained: str, body: object, pointer: str) -> None:
    problem = assert_problem(client.post(f"/v1/jobs/{trained}/predict", json=body), 422)
    assert pointer in [error["pointer"] for error in problem["errors"]], problem


def test_nan_in_a_row_is_refused_where_it_stands(client: httpx.Client, trained: str) -> None:
    answer = client.post(
        f"/v1/jobs/{trained}/predict",
        content=b'{"rows": [[1, 2, 3, 4], [1, NaN, 3, 4]]}',
        headers={"Content-Type": "application/json"},
    )
    assert assert_problem(answer, 422)["errors"][0]["pointer"] == "/rows/1/1"


def test_numbers_too_large_to_predict_from_are_refused_like_any_other_row(client: httpx.Client, trained: str) -> None:
    large, short = (
        assert_problem(client.post(f"/v1/jobs/{trained}/predict", json={"rows": rows}), 422)
        for rows in ([[1e300, 3.5, 1.4, 0.2]], [FLOWERS[0][:3]])
    )
    assert large["errors"][0]["pointer"] == "/rows/0" and "too large" in large["detail"]
    assert (large["code"], large["title"]) == (short["code"], short["title"])


def test_a_model_is_read_once_however_many_ask(running: Running, client: httpx.Client, trained: str) -> None:
    client.post(f"/v1/jobs/{trained}/predict", json={"rows": FLOWERS})
    before = running.server.app.state.resolver.predictors.loads
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: client.post(f"/v1/jobs/{trained}/predict", json={"rows": FLOWERS}).text, range(16))
        )
    assert len(set(answers)) == 1
    assert running.server.app.state.resolver.predictors.loads == before


def test_what_the_worker_wrote_is_served(client: httpx.Client, trained: str) -> None:
    path = f"/v1/jobs/{trained}"
    metrics = client.get(f"{path}/metrics").json()["data"]
    assert [row["epoch"] for row in metrics] == [1, 2, 3, 4, 5]
    (check,) = client.get(f"{path}/gradient-checks").json()["data"]
    assert (check["number"], check["state"], check["requested"], check["error"]) == (1, "succeeded", None, None)
    assert check["report"]["at"] == "end" and check["report"]["tensors"]
    assert set(client.get(path).json()["result"]) >= {"train", "dev", "test"}
