"""The short way of a submission and the route answer alike; what the short way does not know goes the long one."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from service import quick_jobs
from service.http.client_timeouts import Patience
from tests.service.running import served
from tests.worker.conftest import quick
from worker.backend import open_backend

SMALL = {"data": {"train": "digits", "target": "label"}}
LONG = "application/json, */*"  # an Accept header that the short way leaves to the route
OWN = ("id", "created_at", "updated_at", "queue_position", "timeline")


def ask(client: httpx.Client, body: bytes, accept: str) -> httpx.Response:
    headers = {"Content-Type": "application/json", "Accept": accept}
    return client.post("/v1/jobs", content=body, headers=headers)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies that took the short way to its end."""
    bodies: list[bytes] = []
    read = quick_jobs.spec_of

    def watched(body: bytes) -> object:
        spec = read(body)
        if spec is not None:
            bodies.append(body)
        return spec

    monkeypatch.setattr(quick_jobs, "spec_of", watched)
    return bodies


@pytest.mark.parametrize(
    "spec",
    [
        SMALL,
        {**SMALL, "name": "Zürich ½", "priority": 7, "seed": 2**53 - 1},
        {**SMALL, "layers": [{"type": "dense", "units": 3}, {"type": "relu"}], "training": {"epochs": 4.0}},
        {**SMALL, "layers": [3, "tanh", 4], "optimizer": "momentum"},
    ],
)
def test_both_ways_answer_alike(client: httpx.Client, taken: list[bytes], spec: object) -> None:
    body = json.dumps(spec).encode()
    short, long = ask(client, body, "*/*"), ask(client, body, LONG)
    assert taken == [body]
    assert short.status_code == long.status_code == 201, short.text
    assert short.headers.keys() == long.headers.keys()
    for one in (short, long):
        assert one.headers["location"] == f"/v1/jobs/{one.json()['id']}"
    first, second = short.json(), long.json()
    assert list(first) == list(second)
    assert {key: first[key] for key in first if key not in OWN} == {
        key: second[key] for key in second if key not in OWN
    }
    stored = client.get(short.headers["location"]).json()
    assert stored == {**first, "queue_position": stored["queue_position"]}
    assert first["queue_position"] + 1 == second["queue_position"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"data":{"train":"digits","target":"label"},"seed":NaN}',
        b'{"data":{"train":"digits","target":"label"},"seed":1e999}',
        b'{"data":{"train":"digits","target":"label"},"name":"\\ud800"}',
        b'{"data":{"train":"digits","target":"label"},"data":{}}',
        b'{"data":{"train":"digits","target":"label"},"epochs":3}',
        b'{"data":{"train":"digits","target":"label"},"training":{"epochs":true}}',
        b'{"data":{"train":"digits","target":"nowhere"}}',
        b'{"data":{"train":"dgits","target":"label"}}',
        b'{"data":{"train":"digits","target":"label"},"training":{"epochs":1000000}}',
        b'{"data":{"train":"digits","target":"label"},"layers":[3,3,70000]}',
        b'{"data":{"train":"digits","target":"label"},"loss":"sigmoid_cross_entropy"}',
        b'{"data":{"train":"digits","target":"label"},"start_from":{"job":"job_1"}}',
        b'{"name":"\xff"}',
        b"[]",
        b"{",
        b"",
        b'{"name":"' + b"x" * 300_000 + b'"}',
    ],
)
def test_both_ways_refuse_alike(client: httpx.Client, body: bytes) -> None:
    short, long = ask(client, body, "*/*"), ask(client, body, LONG)
    assert 400 <= short.status_code < 500, short.text
    assert (short.status_code, short.content) == (long.status_code, long.content)
    assert short.headers["content-type"] == long.headers["content-type"] == "application/problem+json"


def test_a_full_queue_and_a_small_limit_count_on_both_ways(tmp_path: Path, redis_url: str) -> None:
    limits = {"max_queued": 1, "max_body_bytes": 1000}
    settings = quick(tmp_path, redis_url=redis_url, sweep_seconds=60.0, port=0, **limits)
    body = json.dumps(SMALL).encode()
    large = json.dumps({**SMALL, "name": "x" * 1000}).encode()
    with (
        open_backend(settings) as backend,
        served(backend, settings, Patience()) as running,
        httpx.Client(base_url=running.url, timeout=60) as client,
    ):
        assert ask(client, body, "*/*").status_code == 201
        short, long = ask(client, body, "*/*"), ask(client, body, LONG)
        assert short.status_code == long.status_code == 503
        assert short.content == long.content
        assert short.headers["retry-after"] == long.headers["retry-after"]
        for way in ("*/*", LONG):
            assert ask(client, large, way).status_code == 413


@pytest.mark.parametrize("query", ["", "?limit=1", "?limit=3", "?limit=1000", "?limit=1001", "?limit=9999"])
def test_both_ways_list_alike(client: httpx.Client, job: Callable[..., str], query: str) -> None:
    job()
    short = client.get(f"/v1/jobs{query}")
    newest = "job_" + "f" * 32  # newer than all: the framework answers, and the same
    long = client.get(f"/v1/jobs{query}{'&' if query else '?'}after={newest}")
    assert short.status_code == long.status_code
    assert short.content == long.content
    assert short.headers.keys() == long.headers.keys()
    if short.status_code == 200:
        assert short.headers["etag"] == long.headers["etag"]
        for held in (short.headers["etag"], short.headers["etag"].removeprefix("W/"), '"another", *'):
            unchanged = client.get(f"/v1/jobs{query}", headers={"If-None-Match": held})
            assert (unchanged.status_code, unchanged.content) == (304, b"")
            assert unchanged.headers["etag"] == short.headers["etag"]
        assert client.get(f"/v1/jobs{query}", headers={"If-None-Match": '"another"'}).content == short.content
