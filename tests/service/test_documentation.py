"""The documentation needs no network and says the truth."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from urllib.parse import urljoin

import httpx
import pytest

from service.http.client_timeouts import Patience
from tests.service.contract import Contract
from tests.service.running import served
from tests.until import CEILING
from worker.backend import Backend
from worker.settings import Settings


def test_the_page_asks_nobody_else(client: httpx.Client) -> None:
    page = client.get("/docs").text
    addresses = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert len(addresses) == 3
    for address in addresses:
        assert not address.startswith(("/", "http"))  # relative: a proxy may show the page under another path
        assert client.get(urljoin("/docs", address)).status_code == 200
    assert client.get("/openapi.json").json()["openapi"].startswith("3.1")


def test_every_route_documents_its_problems(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    assert "HTTPValidationError" not in document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (path, method)
            problems = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
            if path.startswith("/v1"):
                assert {"422", "500", "503"} <= set(problems), (path, method)
            if "{" in path:
                assert "404" in problems, (path, method)
            for answer in problems.values():
                schema = answer["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}


def test_the_examples_of_a_job_are_accepted(client: httpx.Client) -> None:
    body = client.get("/openapi.json").json()["paths"]["/v1/jobs"]["post"]["requestBody"]
    for example in body["content"]["application/json"]["examples"].values():
        assert client.post("/v1/jobs", json=example["value"]).status_code == 201


def test_the_examples_of_rows_are_answered(client: httpx.Client, contract: Contract, train: Callable[..., str]) -> None:
    job = train()
    client.post("/v1/models/documented/versions", json={"job": job})
    for template, path in (("jobs/{job_id}", f"jobs/{job}"), ("models/{name}", "models/documented")):
        body = contract.document["paths"][f"/v1/{template}/predict"]["post"]["requestBody"]
        for example in body["content"]["application/json"]["examples"].values():
            assert client.post(f"/v1/{path}/predict", json=example["value"]).status_code == 200


def test_the_index_says_where_things_are(client: httpx.Client) -> None:
    index = client.get("/").json()
    for name in ("docs", "openapi", "jobs", "datasets", "parameters"):
        assert client.get(index[name]).status_code == 200, name


def test_answers_do_not_say_what_serves_them(client: httpx.Client) -> None:
    headers = client.get("/health/live").headers
    assert "server" not in headers
    assert headers["x-content-type-options"] == "nosniff" and headers["x-request-id"]


def test_others_are_answered_while_the_document_is_made(
    opened: Backend, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = Event(), Event()

    def slowly(document: dict[str, object], _: Settings) -> dict[str, object]:
        begun.set()
        assert go_on.wait(CEILING)
        return document

    monkeypatch.setattr("service.http.openapi.made_for_generators", slowly)
    with served(opened, settings, Patience()) as service, ThreadPoolExecutor() as pool:
        asked = pool.submit(httpx.get, f"{service.url}/openapi.json", timeout=CEILING)
        assert begun.wait(CEILING)
        try:
            assert httpx.get(f"{service.url}/health/live", timeout=CEILING).status_code == 200
        finally:
            go_on.set()
        known = asked.result()
        assert known.status_code == 200
        again = httpx.get(f"{service.url}/openapi.json", headers={"If-None-Match": known.headers["etag"]})
        assert again.status_code == 304
