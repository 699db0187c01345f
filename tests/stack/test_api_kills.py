"""An API that is killed in the middle of submissions loses none that it has answered, and doubles none."""

import sqlite3
import time
from collections import deque
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
    """Clients that send every key until it is answered; a key that is under way somewhere comes back later."""

    def __init__(self, port: int, keys: list[str]) -> None:
        self._port = port
        self._waiting = deque(keys)
        self._total = len(keys)
        self._threads = [Thread(target=self._run) for _ in range(CLIENTS)]
        self._ended = Event()
        self.answered: dict[str, str] = {}  # the job's id by key
        self.replayed = 0
        self.unanswered = 0
        self.strange: list[str] = []
        for thread in self._threads:
            thread.start()

    @property
    def done(self) -> int:
        return len(self.answered)

    def stop(self) -> None:
        """Send no more."""
        self._ended.set()
        self.join()

    def join(self) -> None:
        """Return once every key is answered."""
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        connection = Connection(self._port)
        while len(self.answered) < self._total and not self.strange and not self._ended.is_set():
            try:
                key = self._waiting.popleft()
            except IndexError:
                time.sleep(0.05)  # the last ones are with the other clients
                continue
            try:
                status, headers, body = connection.send("POST", "/v1/jobs", SPEC, {"Idempotency-Key": key})
            except OSError:
                self.unanswered += 1
                self._waiting.append(key)
                time.sleep(0.05)
                continue
            if status == 201:
                self.replayed += headers.get("idempotent-replay") == "true"
                self.answered[key] = headers["location"].rpartition("/")[2]
            elif status in (409, 503):
                self._waiting.append(key)
                time.sleep(0.05)
            else:
                self.strange.append(f"{status} {body.decode()}")


def killed(folder: Path, submissions: int, kills: int, seed: int) -> Submitters:
    """Submit jobs while the API is killed and started again, at moments that are spread over the submissions."""
    api = ApiProcess(folder / "data", disk_reserve_bytes=0)
    submitters = Submitters(api.port, [uuid4().hex for _ in range(submissions)])
    moments = sorted(Random(seed).sample(range(submissions // 20, submissions), kills))  # noqa: S311 - no secret
    try:
        for moment in moments:
            while submitters.done < moment and not submitters.strange:
                time.sleep(0.001)
            api.kill()
            api.restart()
        submitters.join()
    finally:
        api.kill()
        submitters.stop()
    assert submitters.strange == []
    with closing(sqlite3.connect(folder / "data" / "trainshed.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        jobs = {row[0] for row in database.execute("SELECT id FROM jobs")}
    assert len(submitters.answered) == submissions
    assert set(submitters.answered.values()) == jobs
    assert len(jobs) == submissions
    return submitters


@pytest.mark.accept
def test_a_killed_api_has_made_every_job_once(folder: Path) -> None:
    submitters = killed(folder, submissions=40, kills=1, seed=1)
    assert submitters.unanswered > 0


@pytest.mark.chaos
def test_two_thousand_submissions_and_twenty_kills_make_two_thousand_jobs(folder: Path) -> None:
    started = time.monotonic()
    submitters = killed(folder, submissions=2000, kills=20, seed=2)
    print(
        f"\n2000 jobs of 2000 keys in {time.monotonic() - started:.0f} s; 20 kills, {submitters.unanswered} requests "
        f"without an answer, {submitters.replayed} answers given again"
    )
