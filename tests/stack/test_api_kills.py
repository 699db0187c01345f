"""An API that is killed in the middle of submissions loses none that it has answered, and doubles none."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from random import Random
from threading import Event, Thread
from uuid import uuid4

import pytest

from tests.stack.api_process import ApiProcess, Connection

SPEC = {"data": {"train": "iris", "target": "label"}}
CLIENTS = 8


class Submitters:
    """Clients that send new keys until they are told that there are enough, each until it is answered."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._threads = [Thread(target=self._run) for _ in range(CLIENTS)]
        self._enough, self._ended = Event(), Event()
        self.answered: dict[str, str] = {}  # the job's id by key
        self.replayed = 0
        self.unanswered = 0
        self.strange: list[str] = []
        for thread in self._threads:
            thread.start()

    def await_done(self, number: int) -> None:
        """Return once so many keys are answered."""
        while len(self.answered) < number and not self.strange:
            time.sleep(0.001)

    def stop(self) -> None:
        """Send no more."""
        self._ended.set()
        self.finish()

    def finish(self) -> None:
        """Return once every key is answered; there are no new ones."""
        self._enough.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        connection = Connection(self._port)
        while not self._enough.is_set():
            key = uuid4().hex
            while key not in self.answered and not self.strange and not self._ended.is_set():
                self._send(connection, key)

    def _send(self, connection: Connection, key: str) -> None:
        try:
            status, headers, body = connection.send("POST", "/v1/jobs", SPEC, {"Idempotency-Key": key})
        except OSError:
            self.unanswered += 1
            time.sleep(0.05)
            return
        if status == 201:
            self.replayed += headers.get("idempotent-replay") == "true"
            self.answered[key] = headers["location"].rpartition("/")[2]
        elif status in (409, 503):
            time.sleep(0.05)
        else:
            self.strange.append(f"{status} {body.decode()}")


def killed(folder: Path, redis_url: str, submissions: int, kills: int, seed: int) -> Submitters:
    """Submit so many jobs, or more, while the API is killed and started again at moments that are spread over them."""
    api = ApiProcess(folder / "data", redis_url, disk_reserve_bytes=0)
    submitters = Submitters(api.port)
    moments = sorted(Random(seed).sample(range(submissions // 20, submissions), kills))  # noqa: S311 - no secret
    try:
        for moment in moments:
            submitters.await_done(moment)
            api.kill()
            api.restart()
        submitters.await_done(submissions)
        submitters.finish()
    finally:
        api.kill()
        submitters.stop()
    assert submitters.strange == []
    with closing(sqlite3.connect(folder / "data" / "trainshed.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        jobs = {row[0] for row in database.execute("SELECT id FROM jobs")}
    assert set(submitters.answered.values()) == jobs
    assert len(jobs) == len(submitters.answered) >= submissions
    return submitters


@pytest.mark.accept
def test_a_killed_api_has_made_every_job_once(folder: Path, redis_url: str) -> None:
    submitters = killed(folder, redis_url, submissions=40, kills=1, seed=1)
    assert submitters.unanswered > 0


@pytest.mark.chaos
def test_two_thousand_submissions_and_twenty_kills_make_two_thousand_jobs(folder: Path, redis_url: str) -> None:
    started = time.monotonic()
    submitters = killed(folder, redis_url, submissions=2000, kills=20, seed=2)
    print(
        f"\n{len(submitters.answered)} jobs of as many keys in {time.monotonic() - started:.0f} s; 20 kills, "
        f"{submitters.unanswered} requests without an answer, {submitters.replayed} answers given again"
    )
