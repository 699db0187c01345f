"""The short way and the route answer the same bytes; what the short way does not know goes the long one."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest

from engine import Model, load
from tests.service.running import Running
from worker.workspace import Workspace

FLOWERS = np.random.default_rng(0).uniform(0, 8, (40, 4)).round(2).tolist()
LONG = "application/json, */*"  # an Accept header that the short way leaves to the route


@pytest.fixture(scope="module")
def model(client: httpx.Client, backend: Workspace, train: Callable[..., str]) -> Model:
    job = train()
    client.post("/v1/models/quick/versions", json={"job": job}).raise_for_status()
    client.put("/v1/models/quick/aliases/live", json={"version": 1}).raise_for_status()
    client.post("/v1/models/quick/predict", json={"rows": FLOWERS[:1]}).raise_for_status()
    return load(backend.jobs.model_path(job))


def ask(client: httpx.Client, body: bytes, accept: str, query: str = "") -> httpx.Response:
    headers = {"Content-Type": "application/json", "Accept": accept}
    return client.post(f"/v1/models/quick/predict{query}", content=body, headers=headers)


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
def test_both_ways_answer_the_same_bytes(client: httpx.Client, model: Model, body: bytes, query: str) -> None:
    quick, slow = ask(client, body, "*/*", query), ask(client, body, LONG, query)
    assert quick.status_code == 200, quick.text
    assert quick.content == slow.content
    for name in ("content-type", "content-length", "trainshed-model", "x-content-type-options"):
        assert quick.headers[name] == slow.headers[name]
    assert quick.headers["x-request-id"] != slow.headers["x-request-id"]
    expected = model.predict(json.loads(body)["rows"])
    assert quick.json()["predictions"] == expected


@pytest.mark.parametrize(
    "body",
    [
        b'{"rows":[[1,2,3]]}',
        b'{"rows":[[1,2,3,[4]]]}',
        b'{"rows":[[[1],[2],[3],[4]]]}',
        b'{"rows":[[1,2,3,4],[1,2]]}',
        b'{"rows":[[1,2,3,true]]}',
        b'{"rows":[[1,2,3,null]]}',
        b'{"rows":[[1,2,3,"4"]]}',
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
def test_both_ways_refuse_alike(client: httpx.Client, model: Model, body: bytes) -> None:
    quick, slow = ask(client, body, "*/*"), ask(client, body, LONG)
    assert quick.status_code == slow.status_code != 500
    assert quick.content == slow.content


@pytest.mark.parametrize("query", ["?alias=none", "?version=9", "?verison=1", "?top_k=2", "?alias=live&version=1"])
def test_other_queries_go_the_long_way(client: httpx.Client, model: Model, query: str) -> None:
    body = json.dumps({"rows": FLOWERS[:1]}).encode()
    assert ask(client, body, "*/*", query).content == ask(client, body, LONG, query).content


def test_many_at_once_get_the_bits_that_each_gets_alone(running: Running, client: httpx.Client, model: Model) -> None:
    gatherer = running.server.app.state.gatherer
    products, requests = gatherer.products, gatherer.requests

    def one(place: int) -> object:
        answer = client.post("/v1/models/quick/predict", json={"rows": [FLOWERS[place]]})
        return answer.json()["predictions"][0]

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(one, list(range(40)) * 5))
    assert found == model.predict(FLOWERS) * 5
    assert gatherer.requests - requests == 200
    assert gatherer.products - products <= 200
