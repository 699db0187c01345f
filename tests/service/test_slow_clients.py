"""A client that keeps a connection waiting loses it; the others notice nothing."""

import http.client
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from service.http.client_timeouts import Patience
from tests.service.running import Running, served
from tests.until import CEILING, until
from worker.backend import Backend
from worker.settings import Settings

IMPATIENT = Patience(head=1.0, body=1.0, answer=1.0)
POST = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
GET = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


@contextmanager
def connected(running: Running) -> Iterator[socket.socket]:
    with socket.create_connection((running.host, running.port), timeout=CEILING) as connection:
        yield connection


def rest(connection: socket.socket) -> bytes:
    """Everything until the service closes the connection."""
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received


def answer(connection: socket.socket) -> http.client.HTTPResponse:
    """The next answer, read to its end; it may come in pieces."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    response.read()
    return response


@pytest.fixture(scope="module")
def impatient(opened: Backend, settings: Settings) -> Iterator[Running]:
    """A service that gives its clients a second."""
    with served(opened, settings, IMPATIENT) as service:
        yield service


STALLED = {
    "silent": (b"", b""),
    "half a line": (b"GET / HT", b"408"),
    "half a head": (b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n", b"408"),
    "blank lines": (b"\r\n\r\n", b"408"),
    "half a body": (POST + b'{"data": ', b"408"),
    "half a chunk": (POST.replace(b"Content-Length: 1000", b"Transfer-Encoding: chunked") + b"5\r\n{", b"408"),
    "half of too much": (POST.replace(b"1000", b"100000000") + b"{", b"413"),
}
"""What is sent before the silence, and the status that it is answered with."""


@pytest.fixture(scope="module")
def received(impatient: Running) -> dict[str, bytes]:
    """What each of those was answered before it was closed; they wait side by side."""
    with ExitStack() as exits:
        stalled = {}
        for name, (sent, _) in STALLED.items():
            stalled[name] = exits.enter_context(connected(impatient))
            stalled[name].sendall(sent)
        return {name: rest(connection) for name, connection in stalled.items()}


@pytest.mark.parametrize("name", STALLED)
def test_a_connection_that_stalls_is_closed(received: dict[str, bytes], name: str) -> None:
    status = STALLED[name][1]
    assert received[name][9:12] == status
    assert (b"application/problem+json" in received[name]) == bool(status)


def test_a_connection_that_drips_is_closed(impatient: Running) -> None:
    with connected(impatient) as connection:
        connection.sendall(POST)

        def answered() -> bool:
            connection.sendall(b" ")
            return bool(select.select([connection], [], [], 0.1)[0])

        until(answered)
        assert answer(connection).status == 408


def test_silence_between_two_requests_is_limited_too(impatient: Running) -> None:
    with connected(impatient) as connection:
        connection.sendall(GET)
        assert answer(connection).status == 200
        connection.sendall(GET[:20])
        assert rest(connection)[9:12] == b"408"


def test_a_second_request_on_the_connection_is_answered(running: Running) -> None:
    with connected(running) as connection:
        for _ in range(3):
            connection.sendall(GET)
            assert answer(connection).status == 200


def test_a_head_without_end_is_refused(running: Running) -> None:
    with connected(running) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000)
        assert answer(connection).status == 431


@pytest.mark.parametrize(
    "junk", [b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"HELO there\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
)
def test_what_is_not_http_is_refused_in_the_shape_of_every_error(running: Running, junk: bytes) -> None:
    with connected(running) as connection:
        connection.sendall(junk)
        received = rest(connection)
    assert received[9:12] == b"400" and b"application/problem+json" in received


def stalled(running: Running, exits: ExitStack) -> list[socket.socket]:
    """A hundred connections that have sent half a head."""
    connections = [exits.enter_context(connected(running)) for _ in range(100)]
    for connection in connections:
        connection.sendall(b"GET / HTTP/1.1\r\nHost")
    return connections


def test_many_stalled_connections_do_not_keep_the_others_waiting(running: Running, client: httpx.Client) -> None:
    with ExitStack() as exits:
        connections = stalled(running, exits)
        assert client.get("/health/live").status_code == 200
        assert select.select(connections, [], [], 0)[0] == []  # all of them are there still


def test_many_stalled_connections_are_closed(impatient: Running) -> None:
    with ExitStack() as exits:
        assert all(rest(connection)[9:12] == b"408" for connection in stalled(impatient, exits))


def test_a_client_that_does_not_read_its_answer_loses_it(impatient: Running) -> None:
    with connected(impatient) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(200):  # pipelined: far more answers than the buffers between us hold
            connection.sendall(b"GET /docs/assets/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: not impatient.server.server_state.connections)
