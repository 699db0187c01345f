"""Pages of the origins that are set may read answers of every kind; without the setting a browser lets none."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from service.http.client_timeouts import Patience
from tests.service.endpoints import CHANGING, ENDPOINTS, Endpoint
from tests.service.running import Running, served
from tests.service.shape import assert_problem
from worker.backend import Backend
from worker.settings import Settings

DASH, EVIL = "https://dash.example", "https://evil.example"


@pytest.fixture(scope="module")
def shared(settings: Settings, opened: Backend) -> Iterator[Running]:
    """A service that the pages of one other origin may use."""
    chosen = settings.model_copy(update={"cors_origins": (DASH,)})
    with served(opened, chosen, Patience()) as service:
        yield service


@pytest.fixture(scope="module")
def page(shared: Running) -> Iterator[httpx.Client]:
    """What a browser sends for a page of that origin."""
    headers = {"Origin": DASH, "Sec-Fetch-Site": "cross-site"}
    limits = httpx.Limits(max_keepalive_connections=0)  # the server ends a connection after a bug
    with httpx.Client(base_url=shared.url, headers=headers, timeout=60, limits=limits) as client:
        yield client


def preflight(client: httpx.Client, endpoint: Endpoint, **headers: str) -> httpx.Response:
    asked = {"Access-Control-Request-Method": endpoint.method, **headers}
    return client.options(endpoint.path, headers=asked)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_a_preflight_is_answered_on_every_endpoint(page: httpx.Client, endpoint: Endpoint) -> None:
    wanted = "content-type, idempotency-key, if-match, if-none-match, last-event-id, content-encoding"
    allowed = preflight(page, endpoint, **{"Access-Control-Request-Headers": wanted})
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == DASH
    assert endpoint.method in allowed.headers["access-control-allow-methods"]
    foreign = preflight(page, endpoint, Origin=EVIL)
    assert_problem_under(foreign, 403, endpoint)
    assert "access-control-allow-origin" not in foreign.headers


@pytest.mark.parametrize("header", ["x-forwarded-host", "x-forwarded-prefix", "x-anything"])
def test_a_preflight_for_a_header_that_is_not_ours_is_refused(page: httpx.Client, header: str) -> None:
    answer = preflight(page, Endpoint("GET", "/v1/jobs"), **{"Access-Control-Request-Headers": header})
    assert "headers" in assert_problem(answer, 403)["detail"]


def assert_problem_under(answer: httpx.Response, status: int, endpoint: Endpoint) -> None:
    """A problem, which has a member more under /v2."""
    if endpoint.path.startswith("/v2"):
        assert answer.status_code == status and answer.json()["error"]
    else:
        assert_problem(answer, status)


def test_answers_and_refusals_of_every_kind_can_be_read(
    page: httpx.Client, monkeypatch: pytest.MonkeyPatch, job: Callable[..., str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    job_id = job()
    spec = {"data": {"train": "iris", "target": "label"}}
    json = {"Content-Type": "application/json"}
    answers = [
        (200, page.get("/v1/jobs")),  # by the short way
        (200, page.get(f"/v1/jobs/{job_id}")),
        (200, page.get("/docs/assets/swagger-ui.css")),
        (404, page.get("/v1/jobs/job_0")),
        (404, page.get("/nothing/here")),
        (405, page.put("/v1/jobs")),
        (413, page.post("/v1/jobs", content=b" " * 300_000, headers=json)),
        (415, page.post("/v1/jobs", content=b"x", headers={"Content-Encoding": "br"})),
        (421, page.get("/v1/jobs", headers={"Host": "evil.example"})),
        (422, page.post("/v1/jobs", json={})),
        (422, page.get("/v1/jobs?limt=1")),
    ]
    with page.stream("GET", f"/v1/jobs/{job_id}/stream") as stream:
        answers.append((200, stream))
    monkeypatch.setattr("service.routes.jobs.JobView.of", broken)
    answers.append((500, page.get(f"/v1/jobs/{job_id}")))
    answers.append((500, page.post("/v1/jobs?validate_only=false", json=spec)))
    for status, answer in answers:
        assert answer.status_code == status, answer.request.url
        assert answer.headers["access-control-allow-origin"] == DASH, answer.request.url
        assert "Origin" in answer.headers["vary"]
        exposed = answer.headers["access-control-expose-headers"]
        for name in ("ETag", "Location", "Retry-After", "Idempotent-Replay", "X-Request-ID"):
            assert name in exposed


def test_a_bug_can_be_read_too(page: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("service.routes.jobs.wrap_future", broken)
    answer = page.post("/v1/jobs", json={"data": {"train": "iris", "target": "label"}})
    assert "secret" not in str(assert_problem(answer, 500))
    assert answer.headers["access-control-allow-origin"] == DASH


def test_other_origins_get_no_permission(page: httpx.Client) -> None:
    for origin in (EVIL, "null", "http://dash.example", f"{DASH}:8443", f"{DASH}.evil.example"):
        answer = page.get("/v1/jobs", headers={"Origin": origin})
        assert answer.status_code == 200 and "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("endpoint", CHANGING, ids=str)
def test_without_the_setting_no_preflight_is_answered(client: httpx.Client, endpoint: Endpoint) -> None:
    answer = preflight(client, endpoint, Origin=DASH)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_every_origin_may_be_allowed(settings: Settings, opened: Backend) -> None:
    chosen = settings.model_copy(update={"cors_origins": ("*",)})
    with served(opened, chosen, Patience()) as service, httpx.Client(base_url=service.url) as client:
        for origin in (EVIL, "null"):
            assert client.get("/v1/jobs", headers={"Origin": origin}).headers["access-control-allow-origin"] == "*"
            assert preflight(client, Endpoint("DELETE", "/v1/jobs/job_0"), Origin=origin).status_code == 200
        # A name of its own is not what the setting is about.
        assert client.get("/v1/jobs", headers={"Origin": EVIL, "Host": "evil.example"}).status_code == 421
