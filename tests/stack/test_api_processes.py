"""Several API processes on one port: all answer, one that is killed is replaced, and none outlives their parent."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests.until import CEILING, until

pytestmark = pytest.mark.accept


@contextmanager
def two_processes(folder: Path, redis_url: str) -> Iterator[tuple[subprocess.Popen[bytes], str, list[psutil.Process]]]:
    """`trainshed api --workers 2`, its address, and the two once they answer."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = os.environ | {
        "TRAINSHED_DATA_DIR": str(folder), "TRAINSHED_REDIS_URL": redis_url, "TRAINSHED_PORT": str(port)
    }  # fmt: skip
    (folder / "socket.py").write_text("raise ImportError('a stranger was imported')\n")
    command = [Path(sys.executable).with_name("trainshed"), "api", "--workers", "2"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        said = folder / "log"
        until(lambda: said.read_text().count('"listening"') == 2 or process.poll() is not None, seconds=240)
        assert process.poll() is None, said.read_text()
        serving = spawned(process)
        assert len(serving) == 2
        yield process, url, serving
    finally:
        process.kill()
        process.wait()


def gone(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=CEILING)[1]


def test_both_serve_and_both_stop(tmp_path: Path, redis_url: str) -> None:
    with two_processes(tmp_path, redis_url) as (process, url, serving):
        assert all(httpx.get(f"{url}/health/live", timeout=60).status_code == 200 for _ in range(20))
        for one in serving:  # while one is held, the other answers
            one.suspend()
            assert any(answers(url) for _ in range(20))
            one.resume()
        process.send_signal(signal.SIGTERM)
        assert process.wait(CEILING) == 0 and gone(serving)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/live", timeout=1).status_code == 200
    except httpx.TimeoutException:
        return False  # the held process had taken this connection


def spawned(parent: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The processes that serve; one that has just ended has no command line."""
    return [child for child in psutil.Process(parent.pid).children() if "spawn_main" in " ".join(child.cmdline())]


def connection_to(process: psutil.Process, url: str) -> httpx.Client:
    """One that is kept open, and that this one of the processes has taken."""
    while True:
        client = httpx.Client(base_url=url, timeout=CEILING)
        with client.stream("GET", "/health/live") as answer:
            port = answer.extensions["network_stream"].get_extra_info("client_addr")[1]
        if port in [taken.raddr.port for taken in process.net_connections("tcp") if taken.raddr]:
            return client
        client.close()


def test_one_that_is_killed_is_replaced_and_the_other_answers_all_along(tmp_path: Path, redis_url: str) -> None:
    with two_processes(tmp_path, redis_url) as (process, url, (victim, other)):
        said = tmp_path / "log"
        with closing(connection_to(other, url)) as client:
            victim.kill()
            answered: list[int] = []

            def replaced() -> bool:
                answered.append(client.get("/health/live").status_code)
                return said.read_text().count('"listening"') == 3

            until(replaced)
            assert set(answered) == {200}
        [new] = [child for child in spawned(process) if child.pid != other.pid]
        assert new.pid != victim.pid
        other.suspend()
        with closing(connection_to(new, url)) as client:
            assert client.get("/health/live").status_code == 200
        other.resume()
        process.send_signal(signal.SIGTERM)
        assert process.wait(CEILING) == 0 and gone([new, other])


def test_none_outlives_their_parent(tmp_path: Path, redis_url: str) -> None:
    with two_processes(tmp_path, redis_url) as (process, _, serving):
        process.kill()
        assert gone(serving)
