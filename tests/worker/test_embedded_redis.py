"""The Redis of our own: few rights, no port, and nothing left of it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError
from redis.retry import Retry

from worker.queue.embedded_redis import EmbeddedRedis
from worker.queue.redis_server import find_server

OWNER = """
import sys, time
from pathlib import Path
from worker.queue.embedded_redis import EmbeddedRedis
server = EmbeddedRedis(Path(sys.argv[1]))
print(server.supervisor_pid, server.folder, flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def binary() -> Path:
    return find_server().program


@pytest.fixture
def server(binary: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(binary) as running:
        yield running


def test_what_celery_needs_is_allowed(server: EmbeddedRedis) -> None:
    with server.client() as client:
        client.lpush("ts:queue", "1")
        assert client.brpop(["ts:queue"], timeout=1) == (b"ts:queue", b"1")
        assert client.publish("ts:jobs", "x") == 0


@pytest.mark.parametrize(
    "command",
    [
        ["EVAL", "return 1", "0"],
        ["SCRIPT", "LOAD", "return 1"],
        ["CONFIG", "GET", "*"],
        ["FLUSHALL"],
        ["KEYS", "*"],
        ["DEBUG", "SLEEP", "0"],
        ["ACL", "LIST"],
        ["SHUTDOWN"],
        ["SET", "other", "1"],
        ["PUBLISH", "other", "1"],
    ],
    ids=" ".join,
)
def test_what_an_intruder_would_like_is_refused(server: EmbeddedRedis, command: list[str]) -> None:
    # a server may refuse DEBUG to everybody before it asks who wants it
    with server.client() as client, pytest.raises(ResponseError, match=r"(?i)no permissions|DEBUG command not allowed"):
        client.execute_command(*command)


def test_without_the_password_there_is_no_way_in(server: EmbeddedRedis) -> None:
    client = redis.Redis(unix_socket_path=str(server.socket), retry=Retry(NoBackoff(), 0))
    with pytest.raises(redis.AuthenticationError):
        client.ping()
    client.close()


def test_it_listens_on_no_port_and_only_its_user_reaches_the_socket(server: EmbeddedRedis) -> None:
    (process,) = psutil.Process(server.supervisor_pid).children()
    assert process.net_connections("inet") == []
    assert server.folder.stat().st_mode & 0o777 == 0o700
    assert "user trainshed" not in " ".join(process.cmdline())


def test_a_server_that_dies_is_started_again(server: EmbeddedRedis, until: Callable[..., None]) -> None:
    (process,) = psutil.Process(server.supervisor_pid).children()
    process.kill()
    until(lambda: [child for child in psutil.Process(server.supervisor_pid).children() if child != process])
    until(lambda: answers(server))


def test_closing_leaves_no_process_and_no_folder(binary: Path) -> None:
    server = EmbeddedRedis(binary)
    supervisor = psutil.Process(server.supervisor_pid)
    processes = [supervisor, *supervisor.children()]
    assert len(processes) == 2
    server.close()
    assert not any(process.is_running() for process in processes)
    assert not server.folder.exists()


@pytest.mark.parametrize("victim", ["owner", "group"])
def test_an_owner_that_is_killed_leaves_nothing(binary: Path, until: Callable[..., None], victim: str) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-P", "-c", OWNER, str(binary)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert owner.stdout is not None
    pid, folder = owner.stdout.readline().split()
    supervisor = psutil.Process(int(pid))
    processes = [supervisor, *supervisor.children()]
    if victim == "owner":
        owner.kill()
    else:
        os.killpg(owner.pid, signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    until(lambda: not any(process.is_running() for process in processes))
    assert not Path(folder).exists()


def answers(server: EmbeddedRedis) -> bool:
    client = server.client()
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
    finally:
        client.close()
