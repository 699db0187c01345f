"""A disk that is full, at every place where something is written: a clear failure, and nothing is broken afterwards."""

import io
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from engine import JobSpec
from worker.domain.jobs import Saved
from worker.domain.measurements import MetricsRow
from worker.domain.principals import LOCAL
from worker.domain.work_items import Claim
from worker.errors import StorageFull, StoreError
from worker.settings import Settings
from worker.storage.artifacts import Artifacts, room
from worker.store import SavedModel, TenantStore, open_store
from worker.workspace import Workspace

SPEC = {"data": {"train": "iris", "target": "label"}, "training": {"epochs": 1}}
ROWS: list[MetricsRow] = [{"epoch": epoch, "train_cost": 0.1} for epoch in range(1, 2000)]


@contextmanager
def full() -> Iterator[None]:
    """No file of this process can grow: the system says EFBIG where a full disk says ENOSPC."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def store(settings: Settings, backend: Workspace) -> Iterator[TenantStore]:
    """The worker's own store beside the backend's."""
    opened = open_store(settings)
    yield opened.on_behalf_of(LOCAL)
    opened.close()


@pytest.fixture
def claim(backend: Workspace, store: TenantStore) -> Claim:
    claimed = store.work_items.claim(backend.jobs.submit(JobSpec.model_validate(SPEC)).id, "worker")
    assert claimed is not None
    return claimed


def whole(settings: Settings) -> None:
    with closing(sqlite3.connect(settings.data_dir / "trainshed.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


SITES: dict[str, Callable[[Workspace, TenantStore, Claim], object]] = {
    "a job": lambda backend, store, claim: backend.jobs.submit(JobSpec.model_validate(SPEC)),
    "a gradient check": lambda backend, store, claim: store.gradient_checks.create(claim.item_id, {}, max_queued=9),
    "a key": lambda backend, store, claim: backend.idempotency_keys.begin("key", "/v1/jobs"),
    "a wish": lambda backend, store, claim: backend.jobs.pause(claim.item_id),
    "a claim": lambda backend, store, claim: store.work_items.claim_next(claim.item_id, "worker", ["train"]),
    "a heartbeat": lambda backend, store, claim: store.work_items.renew(claim),
    "metrics": lambda backend, store, claim: store.training_log.record(claim, 1, rows=ROWS),
    "a checkpoint": lambda backend, store, claim: store.training_log.checkpoint(
        claim, Saved(1, 1, "periodic", "checkpoints/x", "a" * 64, 1)
    ),
    "a model": lambda backend, store, claim: store.training_log.finish(
        claim, SavedModel("models/x", "a" * 64, "b" * 64), {}, stop_reason="completed"
    ),
}


@pytest.mark.parametrize("site", SITES)
def test_a_row_that_finds_no_room_leaves_everything_as_it_was(
    backend: Workspace, store: TenantStore, claim: Claim, settings: Settings, site: str
) -> None:
    another = backend.jobs.submit(JobSpec.model_validate(SPEC))  # for whoever claims
    before = store.jobs.get(claim.item_id), store.jobs.get(another.id), len(backend.jobs.page().data)
    with full(), pytest.raises(StoreError):
        SITES[site](backend, store, claim)
    assert (store.jobs.get(claim.item_id), store.jobs.get(another.id), len(backend.jobs.page().data)) == before
    whole(settings)
    SITES[site](backend, store, claim)
    assert backend.jobs.submit(JobSpec.model_validate(SPEC)).state == "queued"
    whole(settings)


def test_an_upload_that_finds_no_room_leaves_no_file(backend: Workspace, settings: Settings) -> None:
    content = io.BytesIO()
    np.savez(content, W1=np.zeros((4, 3)), b1=np.zeros(3))

    def upload() -> None:
        with backend.receive() as file:
            file.write(content.getvalue())
            backend.parameters.add("mine", "application/x-npz", file)

    folders = [settings.data_dir / name for name in ("unfinished", "parameters", "datasets")]

    def files() -> list[Path]:
        return [path for folder in folders for path in folder.rglob("*") if path.is_file()]

    before = files()
    with full(), pytest.raises(StorageFull):
        upload()
    assert files() == before
    upload()
    assert backend.parameters.find("mine").tensors == {"W1": (4, 3), "b1": (3,)}
    whole(settings)


def test_a_file_that_finds_no_room_is_not_half_there(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    with full(), pytest.raises(StorageFull), artifacts.unfinished() as path, room():
        path.write_bytes(b"model")
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]
    with artifacts.unfinished() as path:
        path.write_bytes(b"model")
        artifacts.keep(path, "models/x")
    assert (tmp_path / "models" / "x").read_bytes() == b"model"
