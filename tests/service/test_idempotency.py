"""A request that is sent again with its Idempotency-Key is answered as before, and nothing is created twice."""

import threading
from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from tests.service.shape import assert_problem
from tests.service.stored import Snapshot
from tests.service.work import Work
from worker.storage import tables
from worker.workspace import Workspace

SPEC = {"data": {"train": "iris", "target": "label"}}


@pytest.fixture
def key() -> dict[str, str]:
    return {"Idempotency-Key": uuid4().hex}


def test_a_job_that_is_submitted_twice_is_one(client: httpx.Client, key: dict[str, str], stored: Snapshot) -> None:
    first, again = (client.post("/v1/jobs", json=SPEC, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["content-type"] == first.headers["content-type"]
    assert ("idempotent-replay" in first.headers, again.headers["idempotent-replay"]) == (False, "true")
    assert len(stored().jobs) == len(stored.before.jobs) + 1


def test_another_request_needs_another_key(client: httpx.Client, key: dict[str, str]) -> None:
    assert client.post("/v1/jobs", json=SPEC, headers=key).status_code == 201
    for body, query in ((SPEC | {"seed": 1}, {}), (SPEC, {"validate_only": "true"})):
        problem = assert_problem(client.post("/v1/jobs", json=body, params=query, headers=key), 422)
        assert problem["code"] == "key_reused"


def test_a_request_that_was_refused_may_be_corrected(client: httpx.Client, key: dict[str, str]) -> None:
    assert_problem(client.post("/v1/jobs", json={"data": {"train": "iris"}}, headers=key), 422)
    assert_problem(client.post("/v1/jobs", content=b"{", headers=key | {"Content-Type": "application/json"}), 400)
    assert client.post("/v1/jobs", json=SPEC, headers=key).status_code == 201


@pytest.mark.parametrize("text", ["", "with space", "é", "x" * 256])
def test_a_key_is_a_word(client: httpx.Client, text: str) -> None:
    problem = assert_problem(client.post("/v1/jobs", json=SPEC, headers={"Idempotency-Key": text.encode()}), 422)  # type: ignore[dict-item]  # bytes
    assert [error["in"] for error in problem["errors"]] == ["header"]


def test_of_requests_at_one_moment_one_is_answered(client: httpx.Client, key: dict[str, str]) -> None:
    start = threading.Barrier(6)
    answers: list[httpx.Response] = []

    def send() -> None:
        start.wait()
        answers.append(client.post("/v1/jobs", json=SPEC, headers=key))

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    for refused in (answer for answer in answers if answer.status_code == 409):
        assert assert_problem(refused, 409)["code"] == "key_in_flight"


def test_an_answer_that_was_never_stored_is_made_again(
    client: httpx.Client, key: dict[str, str], work: Work, stored: Snapshot
) -> None:
    first = client.post("/v1/jobs", json=SPEC, headers=key).json()
    columns = tables.idempotency_keys.c
    with work.store.database.write() as connection:  # as if the process had died in between
        lost = sa.update(tables.idempotency_keys).where(columns.key == key["Idempotency-Key"])
        connection.execute(lost.values(status=None, lease_until=0.0))
    assert_problem(client.post("/v1/jobs", json=SPEC | {"seed": 3}, headers=key), 422)
    assert client.post("/v1/jobs", json=SPEC, headers=key).json()["id"] == first["id"]
    assert len(stored().jobs) == len(stored.before.jobs) + 1


def test_uploads_and_checks_take_keys_too(
    client: httpx.Client, key: dict[str, str], job: Callable[..., str], backend: Workspace
) -> None:
    csv = {"Content-Type": "text/csv"} | key
    for content, status in ((b"a,b\n1,2\n3,4\n", 201), (b"a,b\n1,2\n3,4\n", 201), (b"a,b\n1,2\n3,5\n", 422)):
        answer = client.post("/v1/datasets", params={"name": "keyed"}, content=content, headers=csv)
        assert answer.status_code == status, answer.text
    path = f"/v1/jobs/{job()}/gradient-checks"
    numbers = [client.post(path, json={"at": "start"}, headers=key).json()["number"] for _ in range(2)]
    assert numbers == [1, 1]
    assert len(backend.jobs.gradient_checks(path.split("/")[3]).data) == 1


def test_every_route_that_creates_takes_a_key(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    creating = [
        operation
        for path in document["paths"].values()
        for method, operation in path.items()
        if method == "post" and "201" in operation["responses"]
    ]
    assert creating
    without = [
        operation["operationId"]
        for operation in creating
        if "idempotency-key" not in {parameter["name"].lower() for parameter in operation.get("parameters", [])}
    ]
    assert without == []
