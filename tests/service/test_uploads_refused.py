"""Every kind of bad upload is a 4xx that says what is wrong; no row and no file is left."""

import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.service.bad_uploads import BAD_UPLOADS, CSV, NPZ, BadUpload
from tests.service.running import Running
from tests.service.shape import assert_problem
from tests.service.stored import Snapshot
from tests.until import until


@pytest.mark.parametrize("bad", BAD_UPLOADS, ids=lambda bad: bad.name)
def test_a_bad_dataset_is_refused(client: httpx.Client, stored: Snapshot, bad: BadUpload) -> None:
    headers = {"Content-Type": bad.media_type} if bad.media_type else {}
    answer = client.post("/v1/datasets", params={"name": "bad"}, content=bad.body, headers=headers)
    problem = assert_problem(answer, bad.status)
    assert bad.says in problem["detail"]
    assert stored() == stored.before


@pytest.mark.parametrize(
    ("name", "pointer"),
    [("", "/name"), ("x" * 65, "/name"), ("a\nb", "/name"), ("a\x00b", "/name"), ("iris", None)],
)
def test_a_bad_name_is_refused(client: httpx.Client, stored: Snapshot, name: str, pointer: str | None) -> None:
    answer = client.post("/v1/datasets", params={"name": name}, content=b"a,b\n1,2\n", headers={"Content-Type": CSV})
    problem = assert_problem(answer, 422 if pointer else 409)
    assert [error["pointer"] for error in problem["errors"]] == ([pointer] if pointer else [])
    assert stored() == stored.before


def test_a_name_is_required(client: httpx.Client) -> None:
    problem = assert_problem(client.post("/v1/datasets", content=b"a\n1\n", headers={"Content-Type": CSV}), 422)
    assert problem["errors"] == [{"pointer": "/name", "in": "query", "detail": "is required"}]


def test_an_upload_without_a_length_is_limited_while_it_arrives(client: httpx.Client, stored: Snapshot) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b"1,2\n" * 16_384

    answer = client.post("/v1/datasets", params={"name": "endless"}, content=endless(), headers={"Content-Type": CSV})
    assert_problem(answer, 413)
    assert stored() == stored.before


def test_an_upload_that_breaks_off_leaves_nothing(running: Running, stored: Snapshot) -> None:
    with socket.create_connection((running.host, running.port)) as connection:
        connection.sendall(
            b"POST /v1/datasets?name=half HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
            b"Content-Length: 1000\r\n\r\na\n1"
        )
        until(lambda: running.server.server_state.tasks)  # it has begun
    until(lambda: not running.server.server_state.tasks)
    assert stored() == stored.before


@pytest.mark.parametrize("media_type", [NPZ, "application/vnd.safetensors"])
@pytest.mark.parametrize("body", [b"", b"PK\x03\x04", b"\xff" * 100, b"\x10\x00\x00\x00\x00\x00\x00\x00{"])
def test_bad_parameters_are_refused(client: httpx.Client, stored: Snapshot, media_type: str, body: bytes) -> None:
    answer = client.post("/v1/parameters", params={"name": "bad"}, content=body, headers={"Content-Type": media_type})
    assert_problem(answer, 422)
    assert stored() == stored.before


def test_parameters_must_be_tensors(client: httpx.Client) -> None:
    answer = client.post("/v1/parameters", params={"name": "bad"}, content=b"a\n1\n", headers={"Content-Type": CSV})
    assert "application/vnd.safetensors" in assert_problem(answer, 415)["detail"]
