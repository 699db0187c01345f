"""Ten thousand jobs wait: submitting stays quick, so does looking, and no process grows with them."""

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from statistics import quantiles
from threading import Thread

import psutil
import pytest

from tests.endless import ENDLESS
from tests.stack.api_process import ApiProcess, Connection, memory_kib

JOBS = 10_000
CLIENTS = 20
LOOKS = 200

SHORT = {"data": {"train": "iris", "target": "label"}, "training": {"epochs": 1}}


def submitted(port: int, jobs: int) -> float:
    """Seconds that so many submissions took; every one is answered 201."""
    wrong: list[bytes] = []

    def submit(number: int) -> None:
        connection = Connection(port)
        for _ in range(number):
            status, _, body = connection.send("POST", "/v1/jobs", SHORT)
            if status != 201:
                wrong.append(body)
        connection.close()

    started = time.monotonic()
    threads = [Thread(target=submit, args=(jobs // CLIENTS,)) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    return time.monotonic() - started


def looked(port: int) -> list[float]:
    """Milliseconds that the list of jobs took, each time."""
    connection, times = Connection(port), []
    for _ in range(LOOKS):
        started = time.perf_counter()
        status, _, body = connection.send("GET", "/v1/jobs?limit=50")
        times.append((time.perf_counter() - started) * 1000)
        assert status == 200 and len(json.loads(body)["data"]) == 50
    connection.close()
    return times


@pytest.mark.chaos
def test_ten_thousand_jobs_wait(folder: Path, redis_url: str, eventually, started) -> None:
    api = ApiProcess(folder / "data", redis_url, disk_reserve_bytes=0)
    started.append(api.process)
    worker = api.start_worker()
    started.append(worker)
    connection = Connection(api.port)
    _, headers, _ = connection.send("POST", "/v1/jobs", ENDLESS)

    def training() -> bool:
        _, _, body = connection.send("GET", headers["location"])
        return json.loads(body)["epoch"] > 0

    eventually(training, seconds=180)
    child = max(psutil.Process(worker.pid).children(), key=lambda process: process.memory_info().rss)
    took = submitted(api.port, JOBS // 10)
    looked(api.port)
    first = memory_kib(api.process.pid), memory_kib(child.pid)
    took += submitted(api.port, JOBS - JOBS // 10)
    times = looked(api.port)
    last = memory_kib(api.process.pid), memory_kib(child.pid)
    p95 = quantiles(times, n=20)[-1]
    print(f"\n{JOBS / took:.0f} submissions a second; the list takes {p95:.1f} ms (p95)")
    print(f"KiB of API and worker after {JOBS // 10} jobs {first}, after {JOBS} {last}")
    with closing(sqlite3.connect(folder / "data" / "trainshed.db")) as database:
        assert database.execute("SELECT count(*) FROM jobs").fetchone() == (JOBS + 1,)
        assert (
            database.execute("SELECT count(*) FROM work_items JOIN jobs USING (id) WHERE state = 'queued'").fetchone()[
                0
            ]
            == JOBS
        )
    assert JOBS / took >= 300
    assert p95 < 10
    assert all(0.9 < after / before < 1.1 for before, after in zip(first, last, strict=True))
