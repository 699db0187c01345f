"""The API as a process of its own, which can be killed, and connections to it that cost the machine little."""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

ROOT = Path(__file__).parents[2]
START_SECONDS = 180.0
KEEP_SECONDS = 2.0


class ApiProcess:
    """`trainshed api` on a port that stays the same when it is started again."""

    def __init__(self, data_dir: Path, redis_url: str, **settings: object) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TRAINSHED_")}
        chosen = {"data_dir": data_dir, "port": self.port, "redis_url": redis_url} | settings
        self.environment = inherited | {f"TRAINSHED_{name.upper()}": str(value) for name, value in chosen.items()}
        self.log: list[str] = []
        self.process = self._start("api")
        try:
            self.await_ready()
        except BaseException:
            self.kill()
            raise

    def _start(self, command: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "trainshed", command],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        Thread(target=self._drain, args=(process,), daemon=True).start()
        return process

    def _drain(self, process: "subprocess.Popen[str]") -> None:
        """Its log must not fill the pipe; the last lines are for a failure's report."""
        assert process.stdout is not None
        for line in process.stdout:
            self.log.append(line)
            del self.log[:-50]

    def start_worker(self) -> "subprocess.Popen[str]":
        """A worker on the same data, for the caller to end."""
        return self._start("worker")

    def await_ready(self) -> None:
        """Return once it answers."""
        deadline = monotonic() + START_SECONDS
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                    return
            except OSError:
                assert self.process.poll() is None, "".join(self.log)
                assert monotonic() < deadline, "".join(self.log)
                sleep(0.02)

    def kill(self) -> None:
        """SIGKILL: no handler runs, nothing is flushed."""
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """Start it once more, on the same port and data."""
        self.process = self._start("api")
        self.await_ready()


class Connection:
    """One connection that is kept open; any answer has a status, a dead connection raises OSError."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._used_at = monotonic()

    def send(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """The status, the headers in lower case and the body of the answer."""
        if monotonic() - self._used_at > KEEP_SECONDS:
            self._http.close()  # the service has done so, or is about to
        self._used_at = monotonic()
        content = None if body is None else json.dumps(body).encode()
        sent = dict(headers or {}) | ({"Content-Type": "application/json"} if content else {})
        try:
            self._http.request(method, path, content, sent)
            answer = self._http.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._http.close()
            raise OSError(str(error)) from error

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


def memory_kib(pid: int) -> int:
    """What a process holds of its own: shared pages of the database's files come and go."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(found) for found in re.findall(r"^Private_(?:Clean|Dirty): +(\d+) kB", text, re.MULTILINE))
