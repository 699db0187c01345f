"""Rows of plain numbers are read as one array, and answered and refused as rows that are read one by one."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest

from engine import Model, load
from service.predictions import rows
from service.predictions.rows import JSON, rows_of
from tests.service.running import Running
from worker.workspace import Workspace

FLOWERS = np.random.default_rng(0).uniform(0, 8, (40, 4)).round(2).tolist()


@pytest.fixture(scope="module")
def model(client: httpx.Client, backend: Workspace, train: Callable[..., str]) -> Model:
    job = train()
    client.post("/v1/models/numbers/versions", json={"job": job}).raise_for_status()
    client.put("/v1/models/numbers/aliases/live", json={"version": 1}).raise_for_status()
    client.post("/v1/models/numbers/predict", json={"rows": FLOWERS[:1]}).raise_for_status()
    return load(backend.jobs.model_path(job))


def ask(client: httpx.Client, body: bytes, query: str = "") -> httpx.Response:
    headers = {"Content-Type": "application/json", "Accept": "*/*"}
    return client.post(f"/v1/models/numbers/predict{query}", content=body, headers=headers)


@pytest.mark.parametrize("query", ["", "?version=1", "?alias=live"])
@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"rows": FLOWERS[:1]}).encode(),
        json.dumps({"rows": FLOWERS}).encode(),
        b'{"rows":[[1,2,3,4]]}',
        b'{"rows":[[1,2,3,4],[5,6,7,300]]}',
        b'{"rows":[[1,2,3,400]]}',
        b'{"rows":[[255,-2,3,4]]}',
        b'{"rows":[[1e0,-0.0,3.0,4E-5]]}',
    ],
)
def test_an_array_is_answered_as_its_rows_are(client: httpx.Client, model: Model, body: bytes, query: str) -> None:
    sent = json.loads(body)["rows"]
    assert isinstance(rows_of(model, JSON, body), np.ndarray)
    answer = ask(client, body, query)
    assert answer.status_code == 200, answer.text
    assert answer.json()["predictions"] == model.predict(sent)
    assert answer.headers["trainshed-model"] == "numbers@1"


@pytest.mark.parametrize(
    "body",
    [
        b'{"rows":[[1,2,3]]}',
        b'{"rows":[[1,2,3,[4]]]}',
        b'{"rows":[[[1],[2],[3],[4]]]}',
        b'{"rows":[[1,2,3,4],[1,2]]}',
        b'{"rows":[[1,2,3,true]]}',
        b'{"rows":[[1,2,3,true]]}',
        b'{"rows":[[1,2,3,"4 ft"]]}',
        b'{"rows":[[1,2,3,1e308]]}',
        b'{"rows":[[1,2,3,1e999]]}',
        b'{"rows":[[1,2,3,1' + b"0" * 400 + b"]]}",
        b'{"rows":[]}',
        b'{"rows":[[]]}',
        b'{"rows":[[1,2,3,4]],"rows":[[1,2,3,4]]}',
        b'{"row":[[1,2,3,4]]}',
        b"[[1,2,3,4]]",
        b"{",
        b"",
    ],
)
def test_what_is_wrong_is_said_of_the_rows_as_they_were_sent(
    client: httpx.Client, model: Model, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = ask(client, body)
    assert 400 <= answer.status_code < 500
    monkeypatch.setattr(rows, "read_numbers", lambda model, body: None)
    assert ask(client, body).content == answer.content


def test_many_at_once_get_the_bits_that_each_gets_alone(running: Running, client: httpx.Client, model: Model) -> None:
    batcher = running.server.app.state.batcher
    products, requests = batcher.products, batcher.requests

    def one(place: int) -> object:
        answer = client.post("/v1/models/numbers/predict", json={"rows": [FLOWERS[place]]})
        return answer.json()["predictions"][0]

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(one, list(range(40)) * 5))
    assert found == model.predict(FLOWERS) * 5
    assert batcher.requests - requests == 200
    assert batcher.products - products <= 200
