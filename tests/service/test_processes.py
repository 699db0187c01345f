"""What becomes of processes that end: each is replaced, but for one that cannot start, and a signal ends all."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from service.processes import START_ATTEMPTS, run_processes
from worker.errors import StoreUnavailable

Listens = Callable[[], None]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket; afterwards signals are handled as before."""
    handlers = {sig: signal.getsignal(sig) for sig in (signal.SIGINT, signal.SIGTERM)}
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made
    for sig, handler in handlers.items():
        signal.signal(sig, handler)


def starts(folder: Path) -> int:
    return len(list(folder.iterdir()))


def end_before_listening(folder: Path, listener: socket.socket, listens: Listens) -> int:
    (folder / str(os.getpid())).touch()
    return 7


def fail_before_listening(folder: Path, listener: socket.socket, listens: Listens) -> int:
    (folder / str(os.getpid())).touch()
    raise StoreUnavailable("no PostgreSQL listens")


def end_after_listening(folder: Path, listener: socket.socket, listens: Listens) -> int:
    (folder / str(os.getpid())).touch()
    listens()
    if starts(folder) > START_ATTEMPTS:
        os.kill(os.getppid(), signal.SIGTERM)
        signal.pause()
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def stay(folder: Path, listener: socket.socket, listens: Listens) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.kill(os.getppid(), signal.SIGINT)
    while True:
        signal.pause()


@pytest.mark.parametrize(("serve", "exit_code"), [(end_before_listening, 7), (fail_before_listening, 1)])
def test_one_that_never_listens_ends_all_after_some_attempts(
    serve: Callable[..., int],
    exit_code: int,
    tmp_path: Path,
    listener: socket.socket,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with capture_logs() as said:
        assert run_processes(1, listener, partial(serve, tmp_path), grace=5) == 1
    assert starts(tmp_path) == START_ATTEMPTS
    errors = [line for line in said if line["log_level"] == "error"]
    assert [(line["event"], line["exit_code"]) for line in errors] == [("api_process_cannot_start", exit_code)]
    assert "Traceback" not in "".join(capfd.readouterr())


def test_one_that_has_listened_is_replaced_however_often_it_ends(tmp_path: Path, listener: socket.socket) -> None:
    with capture_logs() as said:
        assert run_processes(1, listener, partial(end_after_listening, tmp_path), grace=60) == 0
    assert starts(tmp_path) == START_ATTEMPTS + 1
    assert [line["exit_code"] for line in said] == [-signal.SIGKILL] * START_ATTEMPTS


def test_one_that_does_not_end_is_killed(tmp_path: Path, listener: socket.socket) -> None:
    assert run_processes(1, listener, partial(stay, tmp_path), grace=0.1) == signal.SIGKILL
