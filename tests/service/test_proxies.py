"""Behind a proxy that shows the API under a path: links lead there, whether the proxy strips the path or not."""

import json
from collections.abc import Iterator
from urllib.parse import urljoin

import httpx
import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from service.http.client_timeouts import Patience
from tests.service.running import Running, served
from tests.service.shape import assert_problem
from tests.until import until
from worker.backend import Backend
from worker.settings import Settings

SPEC = {"data": {"train": "iris", "target": "label"}}
FORWARDED = {"X-Forwarded-Prefix": "/ml", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "api.example.com"}
LONG = {"Accept": "application/json, */*"}  # which the short ways leave to the routes


@pytest.fixture(scope="module")
def under_ml(settings: Settings, opened: Backend) -> Iterator[Running]:
    """A service that knows by its setting where the proxy shows it."""
    with served(opened, settings.model_copy(update={"root_path": "/ml"}), Patience()) as service:
        yield service


@pytest.fixture(params=["strips", "keeps", "says"])
def proxied(request: pytest.FixtureRequest, running: Running, under_ml: Running) -> Iterator[httpx.Client]:
    """What such proxies pass on: a path with the prefix or without, and perhaps what it was."""
    service = running if request.param == "says" else under_ml
    headers = FORWARDED if request.param == "says" else {}
    path = "/ml" if request.param == "keeps" else ""
    with httpx.Client(base_url=service.url + path, headers=headers, timeout=60) as client:
        yield client


def test_links_lead_under_the_path(proxied: httpx.Client) -> None:
    index = proxied.get("/").json()
    assert index["docs"] == "/ml/docs" and index["jobs"] == "/ml/v1/jobs" and index["name"] == "trainshed"
    document = proxied.get("/openapi.json").json()
    assert document["servers"] == [{"url": "/ml"}] and "/v1/jobs" in document["paths"]
    page = proxied.get("/docs").text
    assert urljoin("/ml/docs", page.partition("url: '")[2].partition("'")[0]) == "/ml/openapi.json"
    assert proxied.get("/docs/assets/swagger-ui.css").status_code == 200


def test_what_is_created_is_found_under_the_path(proxied: httpx.Client) -> None:
    for headers in ({}, LONG, {"Idempotency-Key": f"proxied-{proxied.base_url}"}):
        answer = proxied.post("/v1/jobs", json=SPEC, headers=headers)
        assert answer.headers["location"] == f"/ml/v1/jobs/{answer.json()['id']}"
    again = proxied.post("/v1/jobs", json=SPEC, headers=headers)
    assert again.headers["idempotent-replay"] == "true" and again.headers["location"] == answer.headers["location"]


def test_a_key_is_known_again_on_another_way_in(under_ml: Running) -> None:
    headers = {"Idempotency-Key": "two ways in".replace(" ", "-")}
    first = httpx.post(f"{under_ml.url}/ml/v1/jobs", json=SPEC, headers=headers, timeout=60)
    second = httpx.post(f"{under_ml.url}/v1/jobs", json=SPEC, headers=headers, timeout=60)
    assert first.json() == second.json() and second.headers["idempotent-replay"] == "true"


def test_problems_name_the_path_that_was_asked_for(proxied: httpx.Client) -> None:
    assert assert_problem(proxied.get("/v1/jobs/job_0"), 404)["instance"] == "/ml/v1/jobs/job_0"
    problem = assert_problem(proxied.get("/nothing"), 404)
    assert "/ml/nothing" in problem["detail"] and "/ml/docs" in problem["detail"]
    assert proxied.put("/v1/jobs").headers["allow"] == "GET, HEAD, POST"
    assert proxied.get("/v2/models/nobody").json()["error"]
    assert proxied.get("/v1/models/v2").json().keys() == proxied.get("/v1/jobs/job_0").json().keys()


def test_probes_and_short_ways_work_under_the_path(proxied: httpx.Client) -> None:
    assert proxied.get("/health/live", headers={"Host": "10.0.0.1"}).status_code == 200
    assert proxied.get("/v1/jobs?limit=2").json() == proxied.get("/v1/jobs?limit=2", headers=LONG).json()


def test_paths_that_only_look_alike_are_not_there(under_ml: Running) -> None:
    for path, status in (("/mlx/v1/jobs", 404), ("/ml/ml/v1/jobs", 404), ("/ml", 200), ("/ml/", 200), ("/", 200)):
        assert httpx.get(under_ml.url + path, timeout=60).status_code == status, path


def test_nobody_else_is_believed(settings: Settings, opened: Backend) -> None:
    """Without a trusted proxy the headers are anybody's, and mean nothing."""
    chosen = settings.model_copy(update={"trusted_proxies": ("10.0.0.0/8",)})
    with (
        served(opened, chosen, Patience()) as service,
        httpx.Client(base_url=service.url, headers=FORWARDED) as client,
        capture_logs() as logs,
    ):
        answer = client.post("/v1/jobs", json=SPEC, headers={"X-Forwarded-For": "203.0.113.9"})
        assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
        assert "servers" not in client.get("/openapi.json").json()
        own = {"Origin": "https://api.example.com"}
        assert client.post("/v1/jobs", json=SPEC, headers=own).status_code == 403
        until(lambda: len([log for log in logs if log["event"] == "request"]) >= 3)
    assert {log["client"] for log in logs if log["event"] == "request"} == {"127.0.0.1"}


def test_a_trusted_proxy_says_who_asks(running: Running, client: httpx.Client) -> None:
    for forwarded, expected in (
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9, 127.0.0.1", "203.0.113.9"),  # what the client itself claims comes first
        ("[2001:db8::1]:443", "2001:db8::1"),
    ):
        with capture_logs() as logs:
            client.get("/v1/workers", headers={"X-Forwarded-For": forwarded})
            until(lambda: [log for log in logs if log["event"] == "request"])
        assert [log["client"] for log in logs if log["event"] == "request"] == [expected]


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("X-Forwarded-Prefix", "//evil.example"),
        ("X-Forwarded-Prefix", "/ml/../v1"),
        ("X-Forwarded-Prefix", "https://evil.example"),
        ("X-Forwarded-Prefix", "/m l"),
        ("X-Forwarded-Host", "evil.example/x"),
        ("X-Forwarded-Host", 'a"b'),
        ("X-Forwarded-Host", ""),
    ],
)
def test_what_cannot_be_meant_is_refused(client: httpx.Client, header: str, value: str) -> None:
    assert header in assert_problem(client.get("/v1/workers", headers={header: value}), 400)["detail"]


def test_prefixes_that_several_proxies_strip_add_up(client: httpx.Client) -> None:
    headers = {"X-Forwarded-Prefix": "/outer, /inner/", "X-Forwarded-Host": "first.example, second.example"}
    answer = client.post("/v1/jobs", content=json.dumps(SPEC), headers={**headers, "Content-Type": "application/json"})
    assert answer.headers["location"].startswith("/outer/inner/v1/jobs/")


@pytest.mark.parametrize(
    ("field", "value", "read"),
    [
        ("root_path", "ml/", "/ml"),
        ("root_path", "/", ""),
        ("root_path", "/a/b-c", "/a/b-c"),
        ("trusted_proxies", "10.0.0.0/8, ::1", ("10.0.0.0/8", "::1")),
        ("trusted_proxies", "", ()),
        ("allowed_hosts", "ML.example.org., *.example.net,[::1]", ("ml.example.org", "*.example.net", "::1")),
        ("cors_origins", "HTTPS://Dash.example:443/", ("https://dash.example",)),
        ("cors_origins", "http://[::1]:3000,*", ("http://[::1]:3000", "*")),
    ],
)
def test_settings_are_read_as_they_are_meant(field: str, value: str, read: object) -> None:
    assert getattr(Settings.model_validate({field: value}), field) == read


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("root_path", "/m l"),
        ("root_path", "//ml"),
        ("root_path", "/ml/../x"),
        ("root_path", "https://ml.example.org/ml"),
        ("trusted_proxies", "10.0.0.1/8"),
        ("trusted_proxies", "localhost"),
        ("allowed_hosts", "https://ml.example.org"),
        ("allowed_hosts", "ml.example.org:8000"),
        ("cors_origins", "dash.example"),
        ("cors_origins", "https://dash.example/page"),
        ("cors_origins", "null"),
    ],
)
def test_settings_that_cannot_be_meant_name_the_value(field: str, value: str) -> None:
    with pytest.raises(ValidationError, match="such as") as refusal:
        Settings.model_validate({field: value})
    assert repr(value) in str(refusal.value)
