"""Files that no row names go; those that one names, and young ones, stay."""

import os
import shutil
import time
from pathlib import Path

import pytest

from tests.worker.conftest import queue_job
from worker.domain.jobs import Saved
from worker.domain.principals import LOCAL
from worker.errors import StorageFull
from worker.maintenance.orphans import sweep_orphans
from worker.settings import Settings
from worker.storage.artifacts import Artifacts
from worker.store import Draft, SavedModel, Store, open_store

HOURS = 3600.0


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(settings)


def left(root: Path, file: str, hours_ago: float) -> None:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    then = time.time() - hours_ago * HOURS
    for changed in (path, path.parent):
        os.utime(changed, (then, then))


def test_only_old_files_without_a_row_go(store: Store, settings: Settings) -> None:
    job = queue_job(store.on_behalf_of(LOCAL), Draft(None, {}, 0, "cpu", 5, "", {}, {}), max_queued=9)
    claim = store.work_items.claim(job.id, "worker")
    assert claim is not None
    store.training_log.checkpoint(claim, Saved(1, 1, "best", "checkpoints/a/kept", "a" * 64, 1))
    store.training_log.finish(claim, SavedModel("models/a/kept", "a" * 64, "b" * 64), {}, stop_reason="completed")
    root = settings.data_dir
    for file in ("models/a/kept", "checkpoints/a/kept", "models/a/orphan", "checkpoints/b/orphan", "datasets/other"):
        left(root, file, 2)
    left(root, "models/c/young", 0.5)
    assert sweep_orphans(store, Artifacts(root)) == ("checkpoints/b/orphan", "models/a/orphan")
    remaining = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and path.suffix == ""}
    assert remaining == {"models/a/kept", "checkpoints/a/kept", "models/c/young", "datasets/other"}
    store.close()


def test_what_is_kept_free_is_not_given_away(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path / "not" / "yet")
    artifacts.refuse_if_full(0)
    free = shutil.disk_usage(tmp_path).free
    with pytest.raises(StorageFull, match="TRAINSHED_DISK_RESERVE_BYTES"):
        artifacts.refuse_if_full(free * 2)
