"""The API as a process: it starts, serves, stays small and stops."""

import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.service.shape import assert_problem
from tests.until import CEILING

SERVE = (
    "from service.server import run_api; from worker.settings import Settings; raise SystemExit(run_api(Settings()))"
)
MIB = 1024 * 1024


@pytest.fixture
def process(tmp_path: Path, redis_url: str) -> Iterator["subprocess.Popen[str]"]:
    environment = {
        **os.environ,
        "TRAINSHED_DATA_DIR": str(tmp_path),
        "TRAINSHED_REDIS_URL": redis_url,
        "TRAINSHED_PORT": "0",
    }
    started = subprocess.Popen(  # our own interpreter and our own line
        [sys.executable, "-P", "-c", SERVE],
        env=environment,
        cwd=Path(__file__).parents[2],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def address(process: "subprocess.Popen[str]") -> str:
    """Read from the log, as a person would."""
    assert process.stderr is not None
    for line in process.stderr:
        event = json.loads(line)
        if event["event"] == "listening":
            assert event["host"] == "127.0.0.1"
            return f"http://{event['host']}:{event['port']}"
    raise AssertionError("the API ended before it listened")


def peak(pid: int) -> int:
    """The most memory the process ever had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024


@pytest.mark.parametrize("stop", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.accept)])
def test_the_api_serves_until_a_signal_and_ends_well(process: "subprocess.Popen[str]", stop: signal.Signals) -> None:
    url = address(process)
    assert httpx.get(f"{url}/health/live", timeout=CEILING).status_code == 200
    process.send_signal(stop)
    assert process.wait(timeout=CEILING) == 0
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


def test_an_upload_is_never_in_memory_as_a_whole(process: "subprocess.Popen[str]") -> None:
    url = address(process)
    noise = os.urandom(MIB)

    Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # the peak is from now on that of what follows
    before = peak(process.pid)
    chunks = (noise for _ in range(100))
    answer = httpx.post(
        f"{url}/v1/datasets?name=noise", content=chunks, headers={"Content-Type": "application/x-npz"}, timeout=CEILING
    )
    assert_problem(answer, 422)
    # A hundred kilobytes that become a hundred megabytes, where they may be a file and where they may not be JSON.
    bomb = gzip.compress(bytes(100 * MIB))
    for path, kind, status in (("datasets?name=bomb", "application/x-npz", 422), ("jobs", "application/json", 413)):
        headers = {"Content-Type": kind, "Content-Encoding": "gzip"}
        answer = httpx.post(f"{url}/v1/{path}", content=bomb, headers=headers, timeout=CEILING)
        assert_problem(answer, status)
    growth = peak(process.pid) - before
    assert growth < 32 * MIB
