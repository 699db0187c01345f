"""The watchdog ends a process whose work can no longer be trusted, and the store, or the sweeper, knows why."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import JobSpec
from tests.worker.conftest import ROOT, quick
from worker.jobs import Status
from worker.store import open_store
from worker.watchdog import GAVE_UP
from worker.yard import open_yard

Make = Callable[..., JobSpec]
PROGRAM = """
import sys, time
from worker import watchdog
from worker.artifacts import Artifacts
from worker.broker import open_transport
from worker.bulletin import Bulletin
from worker.execution import Execution
from worker.settings import Settings
from worker.store import open_store
watchdog.GRACE_SECONDS = watchdog.CANCEL_GRACE_SECONDS = 0.3
settings = Settings()
store = open_store(settings)
claim = store.claims.claim(sys.argv[1], "worker_1")
hog = []

def draining():
    {how}
    return False

with open_transport(settings) as transport:
    Execution(claim, settings, store, Artifacts(settings.data_dir), Bulletin(transport), draining=draining).run()
"""
HANG = "time.sleep(60)"
HOG = "hog.append(bytearray(1 << 25)); hog[-1][::4096] = bytes([1]) * (1 << 13)"


@pytest.mark.parametrize(
    ("how", "limits", "state", "code"),
    [
        (HOG, {"max_memory_bytes": 500 << 20}, Status.FAILED, "out_of_memory"),
        (HANG, {"max_runtime_seconds": 0.5}, Status.FAILED, "timeout"),
        (HANG, {"stall_seconds": 0.1}, Status.RUNNING, None),  # the lease is over: the sweeper's business
        ("store.jobs.cancel(sys.argv[1]); time.sleep(60)", {}, Status.CANCELLED, None),
    ],
    ids=["memory", "time", "stalled", "cancel"],
)
def test_a_process_ends_when_its_work_does_not(
    tmp_path: Path, spec: Make, how: str, limits: dict[str, float], state: Status, code: str | None
) -> None:
    settings = quick(tmp_path, lease_seconds=1.0, heartbeat_seconds=0.2, sweep_seconds=100, **limits)
    with open_yard(settings) as yard:
        job = yard.submit(spec(training={"epochs": 100_000, "batch_size": "full"}))
        environment = {f"TRAINYARD_{name.upper()}": str(getattr(settings, name)) for name in settings.model_fields_set}
        ended = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(how=how), job.id],
            cwd=ROOT,
            env=os.environ | environment,
            timeout=50,
            check=False,
        )
        assert ended.returncode == GAVE_UP
        found = yard.job(job.id)
        assert found.state is state
        assert (found.error.code if found.error else None) == code
        if code == "out_of_memory" and found.error is not None:
            assert "MiB" in found.error.message and "TRAINYARD_MAX_MEMORY_BYTES" in found.error.message
        if state is Status.RUNNING:
            store = open_store(settings)
            assert store.sweeps.expired() == [job.id]
            store.close()
