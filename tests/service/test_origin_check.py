"""What may change something is refused when a page of another site sends it, whichever endpoint it takes."""

import json
from collections.abc import Callable

import httpx
import pytest

from service.http.client_timeouts import Patience
from tests.service.endpoints import CHANGING, READING, Endpoint
from tests.service.running import Running, served
from tests.service.shape import assert_problem
from tests.service.stored import Snapshot
from tests.until import CEILING
from worker.backend import Backend
from worker.settings import Settings

EVIL = "https://evil.example"
WITHOUT_PREFLIGHT = {
    "no body": (None, b""),
    "no type": (None, b'{"data": {"train": "iris", "target": "label"}}'),
    "form": ("application/x-www-form-urlencoded", b"a=b"),
    "text": ("text/plain", b'{"data": {"train": "iris", "target": "label"}}'),
    "upload": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\na,b\n1,2\n\r\n--x--\r\n',
    ),
}
"""Media type and body of what a page can have a browser send to any address."""
FOREIGN = [
    {"Origin": EVIL},
    {"Origin": "null"},
    {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site"},
]


def send(client: httpx.Client, endpoint: Endpoint, kind: str, headers: dict[str, str]) -> httpx.Response:
    media_type, body = WITHOUT_PREFLIGHT[kind]
    named = {} if media_type is None else {"Content-Type": media_type}
    return client.request(endpoint.method, endpoint.path, content=body, headers={**headers, **named})


@pytest.mark.parametrize("endpoint", CHANGING, ids=str)
def test_a_page_of_another_site_is_refused_on_every_endpoint(client: httpx.Client, endpoint: Endpoint) -> None:
    for kind in WITHOUT_PREFLIGHT:
        answer = send(client, endpoint, kind, FOREIGN[0])
        assert answer.status_code == 403 and answer.json()["code"] == "cross_site_request", kind
        assert EVIL in answer.json()["detail"] and "TRAINSHED_CORS_ORIGINS" in answer.json()["detail"]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_however_the_browser_tells_it(client: httpx.Client, stored: Snapshot, headers: dict[str, str]) -> None:
    for kind in WITHOUT_PREFLIGHT:
        assert_problem(send(client, Endpoint("POST", "/v1/jobs"), kind, headers), 403)
        assert_problem(send(client, Endpoint("POST", "/v1/datasets?name=evil"), kind, headers), 403)
    spec = {"data": {"train": "iris", "target": "label"}}  # by the short way, and as JSON, which a preflight would stop
    assert_problem(client.post("/v1/jobs", json=spec, headers=headers), 403)
    assert stored() == stored.before


@pytest.mark.parametrize("endpoint", READING, ids=str)
def test_reading_is_left_to_the_browser_to_forbid(client: httpx.Client, endpoint: Endpoint) -> None:
    """Nothing is changed by it, and without CORS a page gets to see nothing of it."""
    with client.stream("GET", endpoint.path, headers=FOREIGN[2]) as answer:
        assert answer.status_code != 403
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "SAMEORIGIN"


def test_a_rollback_by_a_form_changes_nothing(
    client: httpx.Client, train: Callable[..., str], running: Running
) -> None:
    for _ in range(2):
        client.post("/v1/models/csrf/versions", json={"job": train()}).raise_for_status()
    alias = "/v1/models/csrf/aliases/production"
    for version in (1, 2):
        client.put(alias, json={"version": version}).raise_for_status()
    refused = client.post(f"{alias}/rollback", content=b"x", headers={"Origin": EVIL, "Content-Type": "text/plain"})
    assert_problem(refused, 403)
    assert client.get(alias).json()["version"] == 2
    before = running.server.app.state.batcher.requests
    body = json.dumps({"rows": [[5.1, 3.5, 1.4, 0.2]]})
    client.post("/v1/models/csrf/predict", content=body, headers={"Content-Type": "application/json"})
    assert running.server.app.state.batcher.requests == before + 1
    headers = {"Origin": EVIL, "Content-Type": "application/json"}
    assert_problem(client.post("/v1/models/csrf/predict", content=body, headers=headers), 403)
    assert running.server.app.state.batcher.requests == before + 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Origin": "HOST"},
        {"Origin": "https://ml.example.org", "X-Forwarded-Host": "ml.example.org"},
    ],
    ids=str,
)
def test_its_own_pages_and_what_is_no_browser_are_let_through(
    running: Running, client: httpx.Client, headers: dict[str, str]
) -> None:
    sent = {name: value.replace("HOST", running.url) for name, value in headers.items()}
    for kind in ("form", "text"):
        assert send(client, Endpoint("POST", "/v1/jobs"), kind, sent).status_code == 415
    spec = {"data": {"train": "iris", "target": "label"}}
    assert client.post("/v1/jobs?validate_only=true", json=spec, headers=sent).status_code == 200


def test_origins_that_are_set_may_send(settings: Settings, opened: Backend) -> None:
    spec = {"data": {"train": "iris", "target": "label"}}
    for origins, evil in ((("https://dash.example",), 403), (("*",), 200)):
        chosen = settings.model_copy(update={"cors_origins": origins})
        with (
            served(opened, chosen, Patience()) as service,
            httpx.Client(base_url=service.url, timeout=CEILING) as client,
        ):
            for origin, status in (("https://dash.example", 200), (EVIL, evil), ("null", evil)):
                headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
                answer = client.post("/v1/jobs?validate_only=true", json=spec, headers=headers)
                assert answer.status_code == status
