"""Requests that call the service by a name that is not its own are refused, whichever endpoint they take."""

import json
from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from service.http.client_timeouts import Patience
from service.http.host_check import HostCheck, is_loopback
from tests.service.endpoints import BESIDE, ENDPOINTS, OTHER_METHODS, TEMPLATES, Endpoint
from tests.service.running import Running, served
from tests.service.shape import assert_problem
from tests.until import CEILING
from worker.backend import Backend
from worker.settings import Settings
from worker.workspace import Workspace

REBOUND = {"Host": "evil.example:8000"}


def asked(client: httpx.Client, endpoint: Endpoint, **headers: str) -> httpx.Response:
    return client.request(endpoint.method, endpoint.path, headers={**REBOUND, **headers})


def test_no_route_is_left_out(running: Running) -> None:
    app: FastAPI = running.server.app
    known = {path for _, path in TEMPLATES} | set(BESIDE)
    here = {context.path for context in iter_route_contexts(app.routes) if context.path}
    assert {path for path in here if not path.startswith("/docs/assets")} <= known


@pytest.mark.parametrize("endpoint", ENDPOINTS + OTHER_METHODS, ids=str)
def test_another_name_is_refused_on_every_endpoint(client: httpx.Client, endpoint: Endpoint) -> None:
    answer = asked(client, endpoint)
    if endpoint.path.startswith("/health/"):
        assert answer.status_code == (405 if endpoint.method in ("OPTIONS", "QUERY") else 200)
    elif endpoint.method == "HEAD":
        assert (answer.status_code, answer.content) == (421, b"")
    elif endpoint.path.startswith("/v2"):
        assert answer.status_code == 421 and answer.json()["error"] == answer.json()["detail"]
    else:
        problem = assert_problem(answer, 421)
        assert "'evil.example'" in problem["detail"] and "TRAINSHED_ALLOWED_HOSTS" in problem["detail"]


def test_the_short_ways_are_no_way_around(
    running: Running, client: httpx.Client, train: Callable[..., str], backend: Workspace
) -> None:
    """A model in memory, a spec and a list of jobs, which are answered in front of the framework."""
    client.post("/v1/models/rebound/versions", json={"job": train()}).raise_for_status()
    rows = {"rows": [[5.1, 3.5, 1.4, 0.2]]}
    client.post("/v1/models/rebound/predict", json=rows).raise_for_status()
    jobs, predictions = backend.jobs.page(limit=1), running.server.app.state.batcher.requests
    inputs = [{"name": "input", "shape": [1, 4], "datatype": "FP32", "data": rows["rows"]}]
    for endpoint, body in (
        (Endpoint("POST", "/v1/models/rebound/predict"), rows),
        (Endpoint("POST", "/v2/models/rebound/infer"), {"inputs": inputs}),
        (Endpoint("POST", "/v1/jobs"), {"data": {"train": "iris", "target": "label"}}),
    ):
        headers = {**REBOUND, "Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}
        assert (
            client.request(endpoint.method, endpoint.path, content=json.dumps(body), headers=headers).status_code == 421
        )
    assert asked(client, Endpoint("GET", "/v1/jobs?limit=1")).status_code == 421
    assert backend.jobs.page(limit=1) == jobs and running.server.app.state.batcher.requests == predictions


def test_what_a_page_can_add_does_not_help(client: httpx.Client) -> None:
    """A page that reached us under its own name may set every header but a few; a proxy on this machine is trusted."""
    for name, value in (
        ("X-Forwarded-Host", "localhost:8000"),
        ("X-Forwarded-For", "10.0.0.1"),
        ("X-Forwarded-Prefix", "/health"),
        ("Origin", "http://localhost:8000"),
    ):
        assert asked(client, Endpoint("GET", "/v1/jobs"), **{name: value}).status_code == 421


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost", True),
        ("LOCALHOST:8000", True),
        ("localhost.:8000", True),
        ("trainshed.localhost", True),
        ("127.0.0.1", True),
        ("127.9.8.7:1", True),
        ("[::1]:8000", True),
        ("ml.example.org", True),
        ("ML.example.org:443", True),
        ("a.b.example.net", True),
        ("example.net", False),
        ("notexample.net", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104
        ("evillocalhost", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("a" * 290 + ".localhost", False),
        ("", False),
    ],
)
def test_names(host: str, allowed: bool) -> None:
    check = HostCheck(lambda *_: pytest.fail(), ("ml.example.org", "*.example.net"), proxies_too=False)
    assert check.allowed(host.encode()) == allowed


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.0.1.1", True), ("0.0.0.0", False), ("::", False)],  # noqa: S104
)
def test_addresses(host: str, loopback: bool) -> None:
    assert is_loopback(host) == loopback


def test_elsewhere_every_name_is_taken_unless_some_are_set(settings: Settings, opened: Backend) -> None:
    for hosts, evil in (((), 200), (("ml.example.org",), 421)):
        chosen = settings.model_copy(update={"host": "0.0.0.0", "allowed_hosts": hosts})  # noqa: S104
        with served(opened, chosen, Patience()) as service, httpx.Client(timeout=CEILING) as client:
            url = f"http://127.0.0.1:{service.port}"
            assert client.get(f"{url}/v1/jobs", headers=REBOUND).status_code == evil
            assert client.get(f"{url}/health/live", headers=REBOUND).status_code == 200
            for name in ("ml.example.org", "localhost"):
                assert client.get(f"{url}/v1/jobs", headers={"Host": name}).status_code == 200
            forwarded = {"Host": "localhost", "X-Forwarded-Host": "evil.example"}
            assert client.get(f"{url}/v1/jobs", headers=forwarded).status_code == evil
