"""A Redis of our own: on a socket that only this user can open, gone when its owner is gone.

A supervisor process stands between the owner and the server. It holds the reading end of a pipe: when the
owner closes the other end, or dies, the supervisor kills the server and removes the folder. A server that dies
is started again; it has lost everything, which is allowed.
"""

import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import redis

from worker.errors import BrokerUnavailable
from worker.redis_address import RedisAddress

USER = "trainshed"
LONGEST_SOCKET = 100  # bytes; the system refuses 108
START_SECONDS = 10.0
SUPERVISOR = Path(__file__).with_name("redis_supervisor.py")

CONFIGURATION = """\
port 0
unixsocket {socket}
unixsocketperm 700
databases 1
dir {folder}
save ""
appendonly no
maxmemory 64mb
maxmemory-policy noeviction
user default off
user {user} reset resetchannels on >{password} ~ts:* &ts:* +@all -@scripting -@dangerous -@admin
"""


class EmbeddedRedis:
    """A running server; a context manager that stops it."""

    def __init__(self, binary: Path) -> None:
        self._binary = binary
        self._password = secrets.token_urlsafe(32)
        self.folder = _folder()
        self.socket = self.folder / "redis.sock"
        try:
            self._supervisor = self._start()
            self._wait()
        except BaseException:
            self.close()
            raise

    @property
    def address(self) -> RedisAddress:
        """Where it answers, password included."""
        return RedisAddress(f"unix://{USER}:{quote(self._password)}@{quote(str(self.socket))}")

    @property
    def supervisor_pid(self) -> int:
        """The process to kill when one wants to see what happens."""
        return self._supervisor.pid

    def client(self) -> redis.Redis:
        """A client with the rights that everybody has."""
        return self.address.client(2.0)

    def close(self) -> None:
        """Stop the server and remove its folder."""
        supervisor = getattr(self, "_supervisor", None)
        if supervisor is not None:
            supervisor.stdin.close()
            try:
                supervisor.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                supervisor.kill()
                supervisor.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> "subprocess.Popen[bytes]":
        configuration = self.folder / "redis.conf"  # not in argv, which everybody on the machine can read
        configuration.touch(0o600)
        configuration.write_text(
            CONFIGURATION.format(socket=self.socket, folder=self.folder, user=USER, password=self._password)
        )
        return subprocess.Popen(  # noqa: S603 - a binary that we chose, and a file of this package
            [sys.executable, "-I", "-S", str(SUPERVISOR), str(self._binary), str(configuration)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
            start_new_session=True,  # Ctrl-C is for the owner, who stops things in order
        )

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        client = self.client()
        try:
            while True:
                try:
                    client.ping()
                    return
                except redis.RedisError as error:
                    if self._supervisor.poll() is not None or time.monotonic() > deadline:
                        raise BrokerUnavailable(f"{self._binary} does not start: {_last_line(self.folder)}") from error
                time.sleep(0.01)
        finally:
            client.close()


def _folder() -> Path:
    """A new folder of this user's, with a path short enough for a socket's address."""
    folder = Path(tempfile.mkdtemp(prefix="trainshed-"))
    if len(bytes(folder / "redis.sock")) <= LONGEST_SOCKET:
        return folder
    folder.rmdir()
    return Path(tempfile.mkdtemp(prefix="trainshed-", dir="/tmp"))


def _last_line(folder: Path) -> str:
    log = folder / "redis.log"
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((line for line in reversed(lines) if line.strip()), "it says nothing")
