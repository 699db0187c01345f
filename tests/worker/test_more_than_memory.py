"""A worker that may hold little in memory trains from the stored file, says so, and gets the same model twice."""

from pathlib import Path

import numpy as np
import pytest

from engine import JobSpec
from tests.worker.conftest import quick_settings
from worker.backend import open_backend
from worker.domain.ids import new_id
from worker.domain.jobs import Job
from worker.domain.principals import LOCAL
from worker.queue.notifier import Notifier
from worker.redis_address import RedisAddress
from worker.storage.artifacts import Artifacts
from worker.store import open_store
from worker.work.kinds import attempt_at
from worker.workspace import Workspace

SPEC = JobSpec.model_validate(
    {
        "data": {"train": "big", "target": "label"},
        "training": {"epochs": 1, "batch_size": 512},
        "checks": {"gradients": []},
        "seed": 3,
    }
)


def uploaded(backend: Workspace, folder: Path) -> None:
    """Eight megabytes of pixels: more than is read at once."""
    x = np.random.default_rng(0).integers(0, 256, (10_000, 28, 28), np.uint8)
    np.savez(folder / "big.npz", x=x, y=x[:, 0, 0] // 64)
    with backend.receive() as upload:
        upload.write((folder / "big.npz").read_bytes())
        backend.datasets.add("big", "application/x-npz", upload)


def trained(backend: Workspace, broker: RedisAddress) -> Job:
    """The job as this very process trains it."""
    job = backend.jobs.submit(SPEC)
    store = open_store(backend.settings)
    claim = store.work_items.claim(job.id, new_id("worker"))
    assert claim is not None
    artifacts, notifier = Artifacts(backend.settings.data_dir), Notifier(broker)
    attempt_at(claim, backend.settings, store, artifacts, notifier, draining=lambda: False).run()
    store.close()
    return backend.jobs.get(job.id)


@pytest.mark.parametrize(("memory", "held"), [(1 << 20, "file"), (10 << 20, "rows"), (1 << 30, "memory")])
def test_a_job_says_how_its_data_was_held(tmp_path: Path, redis_url: str, memory: int, held: str) -> None:
    with open_backend(quick_settings(tmp_path / "backend", redis_url=redis_url, max_data_bytes=memory)) as opened:
        backend = opened.on_behalf_of(LOCAL)
        uploaded(backend, tmp_path)
        jobs = [trained(backend, opened.broker) for _ in range(2)]
        events = backend.jobs.events(jobs[0].id).data
    said = next(event.data for event in events if event.type == "data_held")
    assert (said["held"], said["rows"]) == (held, 10_000)
    assert said["order"] == ("blockwise" if held == "file" else "shuffled")
    results = [job.result for job in jobs]
    assert results[0] and results[1] and results[0]["weights_sha256"] == results[1]["weights_sha256"]
