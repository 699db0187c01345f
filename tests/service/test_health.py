"""The service says whether it can work."""

import httpx
import pytest

from tests.service.shape import assert_problem
from worker.backend import Backend
from worker.domain.fleet import Condition


def test_a_service_that_answers_is_alive(client: httpx.Client) -> None:
    assert client.get("/health/live").json() == {"alive": True}


def test_a_service_with_all_its_parts_is_ready(client: httpx.Client) -> None:
    ready = client.get("/health/ready").json()
    assert ready["ready"] and set(ready["parts"]) == {"sql", "redis"}


def test_a_service_that_lacks_a_part_names_it(
    client: httpx.Client, opened: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    down = {"sql": Condition(True, "sqlite", ""), "redis": Condition(False, "redis", "connection refused")}
    monkeypatch.setattr(opened, "health", lambda: down)
    problem = assert_problem(client.get("/health/ready"), 503)
    assert problem["code"] == "not_ready"
    assert [error["pointer"] for error in problem["errors"]] == ["/redis"]
    assert "connection refused" in problem["detail"]
