"""`trainshed serve` stops when it is asked to, and takes its children along when it is killed."""

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from service.listener import PortUnavailable
from tests.until import CEILING
from trainshed.stack import ChildDied, Stack
from worker.errors import BrokerUnavailable


@pytest.fixture
def served(folder, environment, started) -> tuple[subprocess.Popen[str], str]:
    """`trainshed serve` on a free port, with its data in `folder`; the process and its address."""
    environment |= {"TRAINSHED_DATA_DIR": str(folder / "data")}
    command = [sys.executable, "-P", "-m", "trainshed", "serve", "--port", "0"]
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        # what a shell runs in the background ignores SIGINT, and so would all that it starts
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    started.append(process)
    lines = iter(process.stdout.readline, "Ctrl-C stops it.\n")
    output = "".join(line for line in lines if line or pytest.fail(f"serve ended with {process.wait()}"))
    return process, re.search(r"http://[\d.:]+", output)[0]


@pytest.mark.accept
@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGTERM])
def test_serve_stops_all_of_it_when_asked(way, served, folder, subreaper) -> None:
    process, url = served
    assert httpx.get(f"{url}/health/ready", timeout=CEILING).json()["ready"]
    process.send_signal(way)
    process.communicate(timeout=CEILING)

    assert process.returncode == (0 if way == signal.SIGINT else 128 + way)
    assert subreaper.living() == {}
    assert [path.name for path in folder.iterdir()] == ["data"]
    for log in (folder / "data" / "logs").iterdir():
        assert [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert not list((folder / "data" / "run").glob("*.json"))


def test_a_second_serve_on_the_folder_is_refused_and_a_worker_finds_the_first(
    served, folder, environment, started, eventually
) -> None:
    process, url = served
    environment |= {"TRAINSHED_DATA_DIR": str(folder / "data")}
    command = [sys.executable, "-m", "trainshed", "serve", "--port", "0"]
    second = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=CEILING)
    assert second.returncode == 1 and second.stderr.count("\n") == 1
    assert f"process {process.pid}" in second.stderr and url in second.stderr

    def workers() -> int:
        return len(httpx.get(f"{url}/v1/workers", timeout=CEILING).json()["data"])

    eventually(lambda: workers() == 1)  # the first one's own
    worker = subprocess.Popen([sys.executable, "-m", "trainshed", "worker"], env=environment, text=True)
    started.append(worker)
    eventually(lambda: workers() == 2)
    assert httpx.get(f"{url}/health/ready", timeout=CEILING).json()["ready"]


@pytest.mark.accept
def test_a_killed_serve_leaves_no_process_and_no_socket(served, folder, subreaper, eventually) -> None:
    process, url = served
    assert httpx.get(f"{url}/health/ready", timeout=CEILING).is_success
    process.kill()
    process.communicate()

    eventually(lambda: subreaper.living() == {})
    assert str(folder) not in Path("/proc/net/unix").read_text()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, timeout=CEILING)


def test_a_process_that_dies_is_reported_at_once_with_its_last_words(folder, subreaper) -> None:
    (folder / "logs").mkdir()
    for role in ("api", "worker"):
        (folder / "logs" / f"{role}.log").write_text("of an earlier run\n")
    environment = {"TRAINSHED_DATABASE_URL": "postgresql://me:secret@127.0.0.1:1/name"}
    said = r"^the (api|worker) ended with exit status 1: no PostgreSQL listens at 127\.0\.0\.1:1.*$"
    with pytest.raises(ChildDied, match=said), Stack(folder, environment=environment):
        pytest.fail("ready without its database")
    assert subreaper.living() == {}


def test_a_stack_takes_the_port_before_it_starts_anything(subreaper) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        with pytest.raises(PortUnavailable, match=f"port {port} on 127.0.0.1"), Stack(port=port):
            pytest.fail("two servers on one port")
    assert subreaper.living() == {}


def test_a_redis_that_does_not_answer_is_named(folder, subreaper) -> None:
    stack = Stack(environment={"TRAINSHED_REDIS_URL": f"redis+socket://{folder}/nobody.sock"})
    with pytest.raises(BrokerUnavailable, match=f"unix://{folder}/nobody.sock"), stack:
        pytest.fail("ready without Redis")
    assert subreaper.living() == {}
