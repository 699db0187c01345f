"""The watchdog ends a process whose work can no longer be trusted, and the store, or the sweeper, knows why."""

import math
import multiprocessing
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine import JobSpec
from tests.until import CEILING
from tests.worker.conftest import quick_settings
from worker.backend import open_backend
from worker.domain.principals import LOCAL
from worker.domain.work_items import Signals, Status
from worker.queue.broker import find_broker
from worker.queue.notifier import Notifier
from worker.settings import Settings
from worker.storage.artifacts import Artifacts
from worker.store import Store, open_store
from worker.work import watchdog
from worker.work.kinds import attempt_at
from worker.work.lease import Lease
from worker.work.watchdog import GAVE_UP, Ends, Watchdog

Make = Callable[..., JobSpec]
How = Callable[[Store, str], object]
taken: list[bytearray] = []


def hang(store: Store, job: str) -> None:
    time.sleep(600)


def hog(store: Store, job: str) -> None:
    taken.append(bytearray(1 << 29))
    taken[-1][::4096] = bytes([1]) * (1 << 17)
    hang(store, job)


def cancel(store: Store, job: str) -> None:
    store.on_behalf_of(LOCAL).jobs.cancel(job)
    hang(store, job)


def train(settings: Settings, job: str, how: How) -> None:
    """A process that takes the job, and whose work does this."""
    watchdog.GRACE_SECONDS = watchdog.CANCEL_GRACE_SECONDS = 0.3
    store = open_store(settings)
    claim = store.work_items.claim(job, "worker_1")
    assert claim is not None

    def draining() -> bool:
        how(store, job)
        return False

    notifier = Notifier(find_broker(settings))
    attempt_at(claim, settings, store, Artifacts(settings.data_dir), notifier, draining=draining).run()


@pytest.mark.parametrize(
    ("how", "limits", "state", "code"),
    [
        (hog, {"max_memory_bytes": 500 << 20}, Status.FAILED, "out_of_memory"),
        (hang, {"max_runtime_seconds": 0.5}, Status.FAILED, "timeout"),
        # the lease is over: the sweeper's business
        (hang, {"stall_seconds": 0.1, "lease_seconds": 1.0}, Status.RUNNING, None),
        (cancel, {}, Status.CANCELLED, None),
    ],
    ids=["memory", "time", "stalled", "cancel"],
)
def test_a_process_ends_when_its_work_does_not(
    tmp_path: Path, redis_url: str, spec: Make, how: How, limits: dict[str, float], state: Status, code: str | None
) -> None:
    settings = quick_settings(tmp_path, redis_url=redis_url, heartbeat_seconds=0.2, sweep_seconds=100, **limits)
    with open_backend(settings) as opened:
        backend = opened.on_behalf_of(LOCAL)
        job = backend.jobs.submit(spec())
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])  # what the processes import is imported once
        process = context.Process(target=train, args=(settings, job.id, how), daemon=True)
        process.start()
        process.join(120)
        assert process.exitcode == GAVE_UP
        found = backend.jobs.get(job.id)
        assert found.state is state
        assert (found.error.code if found.error else None) == code
        if code == "out_of_memory" and found.error is not None:
            assert "MiB" in found.error.message and "TRAINSHED_MAX_MEMORY_BYTES" in found.error.message
        if state is Status.RUNNING:
            store = open_store(settings)
            assert store.work_items.expired() == [(job.id, job.id)]
            store.close()


def test_a_renewal_that_is_under_way_is_answered_within_the_block(settings: Settings) -> None:
    asked, answered = threading.Event(), threading.Event()

    def renew() -> Signals:
        asked.set()
        time.sleep(0.3)  # a store that is busy
        answered.set()
        return Signals(None, 0)

    settings = settings.model_copy(update={"heartbeat_seconds": 0.01})
    lease = Lease(
        SimpleNamespace(item_id="job", attempt=1, item=SimpleNamespace(control=None, revision=0)), seconds=1000
    )
    with Watchdog(lease, renew, Ends(lambda failure: None, lambda: None), settings, deadline=math.inf):
        assert asked.wait(CEILING)
    assert answered.is_set()
