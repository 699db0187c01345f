"""What is wrong with a Redis is told apart, soon and without its password."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from worker.queue.redis_faults import find_fault
from worker.redis_address import RedisAddress


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], int]]:
    """Starts servers that say this to whoever connects, or nothing at all; their ports."""
    listeners: list[socket.socket] = []
    connections: list[socket.socket] = []

    def serve(listener: socket.socket, words: bytes) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.sendall(words)
            connections.append(connection)

    def start(words: bytes) -> int:
        listeners.append(socket.create_server(("127.0.0.1", 0)))
        threading.Thread(target=serve, args=(listeners[-1], words), daemon=True).start()
        return int(listeners[-1].getsockname()[1])

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
    for opened in listeners + connections:
        opened.close()


def test_one_that_answers_has_no_fault(redis_url: str) -> None:
    assert find_fault(RedisAddress(redis_url)) is None


def test_credentials_may_stand_in_the_query(redis_url: str) -> None:
    credentials, _, path = redis_url.removeprefix("unix://").partition("@")
    user, _, password = credentials.partition(":")
    assert find_fault(RedisAddress(f"unix://{path}?username={user}&password={password}")) is None


@pytest.mark.parametrize(
    ("credentials", "query", "said"),
    [
        ("", "", "asks for a password, and its address has none"),
        ("trainshed:hunter2@", "", "refuses the user or the password of its address"),
        ("", "?password=hunter2", "refuses the user or the password of its address"),
        (None, "?db=99", "DB index is out of range"),
    ],
)
def test_an_address_that_the_redis_refuses_will_not_do_later(
    redis_url: str, credentials: str | None, query: str, said: str
) -> None:
    own, _, path = redis_url.removeprefix("unix://").partition("@")
    fault = find_fault(RedisAddress(f"unix://{f'{own}@' if credentials is None else credentials}{path}{query}"))
    assert fault is not None and fault.permanent
    assert said in str(fault) and f"unix://{path}" in str(fault)
    assert "hunter2" not in str(fault) and own not in str(fault)


def test_one_that_is_away_may_come_back(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for url, said in [
        (f"redis://:hunter2@127.0.0.1:{port}", f"nothing listens at redis://127.0.0.1:{port}/0"),
        (f"unix://:hunter2@{tmp_path}/no.sock", f"there is no socket of a Redis at unix://{tmp_path}/no.sock"),
    ]:
        fault = find_fault(RedisAddress(url))
        assert fault is not None and not fault.permanent
        assert said in str(fault) and "hunter2" not in str(fault)


def test_what_is_no_redis_is_told_apart(answering: Callable[[bytes], int]) -> None:
    port = answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    fault, encrypted = (find_fault(RedisAddress(f"{scheme}://127.0.0.1:{port}")) for scheme in ("redis", "rediss"))
    assert str(fault) == f"what answers at redis://127.0.0.1:{port}/0 is no Redis"
    assert "fails at TLS" in str(encrypted)
    uncertain = find_fault(RedisAddress(f"rediss://127.0.0.1:{port}?ssl_ca_certs=/no/certificates.pem"))
    assert uncertain is not None and "a file that the query" in str(uncertain) and uncertain.permanent


def test_one_that_says_nothing_is_not_waited_for(
    answering: Callable[[bytes], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = RedisAddress(f"redis://127.0.0.1:{answering(b'')}")
    nameless = RedisAddress("redis://example.invalid")
    looked_up = threading.Event()

    def look_up(*_: object, **__: object) -> None:
        looked_up.wait(60)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    started = time.monotonic()
    assert str(find_fault(silent, 0.2)) == f"the Redis at {silent} did not answer within 0.2 s"
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert str(find_fault(nameless, 0.2)) == f"the Redis at {nameless} did not answer within 0.2 s"
    assert time.monotonic() - started < 30
    looked_up.set()
    assert "the host of the Redis at redis://example.invalid:6379/0 is unknown" in str(find_fault(nameless, 10))
