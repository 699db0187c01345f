"""Files that no row names: what processes left behind that died between the two, and what was deleted meanwhile."""

import time

from worker.storage.artifacts import STALE_SECONDS, Artifacts
from worker.store import Store

FOLDERS = ("models", "checkpoints")


def sweep_orphans(store: Store, artifacts: Artifacts, *, stale_seconds: float = STALE_SECONDS) -> tuple[str, ...]:
    """Remove models and checkpoints without a row that are older than that; their names.

    The files are listed before the rows are read, and a file is there long before its row: none is missed.
    """
    before = time.time() - stale_seconds
    old = [file for folder in FOLDERS for file in artifacts.older_than(before, folder)]
    orphans = tuple(sorted(store.files.unnamed(old)))
    for file in orphans:
        artifacts.discard(file)
    for folder in FOLDERS:
        artifacts.remove_empty(before, folder)
    return orphans
