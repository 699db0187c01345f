"""Several API processes on one port: all of them answer, and none outlives the others."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
        serving = [
            child for child in psutil.Process(process.pid).children() if "spawn_main" in " ".join(child.cmdline())
        ]
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


@pytest.mark.parametrize("victim", ["one of them", "their parent"])
def test_none_outlives_the_others(victim: str, tmp_path: Path, redis_url: str) -> None:
    with two_processes(tmp_path, redis_url) as (process, _, serving):
        if victim == "one of them":
            serving[0].kill()
            assert process.wait(CEILING) == 1
        else:
            process.kill()
        assert gone(serving)
