"""A client that keeps a connection waiting loses it; the others notice nothing."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.service.running import Running

POST = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


@contextmanager
def connected(running: Running) -> Iterator[socket.socket]:
    with socket.create_connection((running.host, running.port), timeout=8) as connection:
        yield connection


def rest(connection: socket.socket) -> bytes:
    """Everything until the service closes the connection."""
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", b""),
        (b"GET / HT", b"408"),
        (b"GET /health/live HTTP/1.1\r\nHost: x\r\n", b"408"),
        (b"\r\n\r\n", b"408"),
        (POST + b'{"data": ', b"408"),
        (POST.replace(b"Content-Length: 1000", b"Transfer-Encoding: chunked") + b"5\r\n{", b"408"),
        (POST.replace(b"1000", b"100000000") + b"{", b"413"),
    ],
    ids=[
        "silent",
        "half a line",
        "half a head",
        "blank lines",
        "half a body",
        "half a chunk",
        "half of too much",
    ],
)
def test_a_connection_that_stalls_is_closed(running: Running, sent: bytes, status: bytes) -> None:
    with connected(running) as connection:
        started = time.monotonic()
        connection.sendall(sent)
        received = rest(connection)
    assert time.monotonic() - started < 4
    assert received[9:12] == status
    if status:
        assert b"application/problem+json" in received


def test_a_connection_that_drips_is_closed(running: Running) -> None:
    with connected(running) as connection:
        connection.sendall(POST)
        connection.settimeout(0.1)
        deadline = time.monotonic() + 4
        received = b""
        while not received and time.monotonic() < deadline:
            connection.sendall(b" ")
            try:
                received = connection.recv(65536)
            except TimeoutError:
                continue
    assert received[9:12] == b"408"


def test_silence_between_two_requests_is_limited_too(running: Running) -> None:
    with connected(running) as connection:
        connection.sendall(GET)
        assert connection.recv(65536)[9:12] == b"200"
        connection.sendall(GET[:20])
        assert rest(connection)[9:12] == b"408"


def test_a_second_request_on_the_connection_is_answered(running: Running) -> None:
    with connected(running) as connection:
        for _ in range(3):
            connection.sendall(GET)
            assert connection.recv(65536)[9:12] == b"200"


def test_a_head_without_end_is_refused(running: Running) -> None:
    with connected(running) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000)
        assert connection.recv(65536)[9:12] == b"431"


@pytest.mark.parametrize(
    "junk", [b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"HELO there\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
)
def test_what_is_not_http_is_refused_in_the_shape_of_every_error(running: Running, junk: bytes) -> None:
    with connected(running) as connection:
        connection.sendall(junk)
        received = rest(connection)
    assert received[9:12] == b"400" and b"application/problem+json" in received


def test_many_stalled_connections_do_not_slow_the_others(running: Running, client: httpx.Client) -> None:
    stalled = [socket.create_connection((running.host, running.port), timeout=8) for _ in range(100)]
    try:
        for connection in stalled:
            connection.sendall(b"GET / HTTP/1.1\r\nHost")
        started = time.monotonic()
        assert client.get("/health/live").status_code == 200
        assert time.monotonic() - started < 1
        assert all(rest(connection)[9:12] == b"408" for connection in stalled)
        assert time.monotonic() - started < 5
    finally:
        for connection in stalled:
            connection.close()


def test_a_client_that_does_not_read_its_answer_loses_it(running: Running) -> None:
    with connected(running) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(200):  # pipelined: far more answers than the buffers between us hold
            connection.sendall(b"GET /docs/assets/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n")
        deadline = time.monotonic() + 8
        while running.server.server_state.connections and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not running.server.server_state.connections
