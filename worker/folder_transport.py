"""Celery's filesystem transport, with messages that are there wholly or not at all.

The original writes a message under its final name, where a worker may read the half of it and end.
"""

# mypy: disable-error-code="no-untyped-call"
# kombu has no types

import os
import time
from pathlib import Path
from uuid import uuid4

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps

from worker.broker import Transport as Chosen

SCHEME = "trainshed-folder"
KEEP_SECONDS = 60.0


class Channel(filesystem.Channel):
    """Puts a message by a rename."""

    # the two classes above do not agree on the names of the arguments
    def _put(self, queue: str, payload: object, **kwargs: object) -> None:  # type: ignore[override]
        folder = Path(self.data_folder_out)
        name = f"{time.time_ns()}_{uuid4().hex}"
        unfinished = folder / f"{name}.unfinished"
        unfinished.write_text(dumps(payload))
        unfinished.rename(folder / f"{name}.{queue}.msg")


class Transport(filesystem.Transport):
    """What Celery knows as `trainshed-folder://`."""

    Channel = Channel


def register() -> None:
    """Make the scheme known to Celery."""
    TRANSPORT_ALIASES[SCHEME] = f"{__name__}:Transport"


def options(chosen: Chosen) -> dict[str, object]:
    """Private folders; without them messages would pass through the machine's shared one."""
    root = Path(str(chosen.folder))
    folders = {name: root / name for name in ("messages", "processed", "control")}
    for folder in folders.values():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {
        "data_folder_in": str(folders["messages"]),
        "data_folder_out": str(folders["messages"]),
        "store_processed": True,
        "processed_folder": str(folders["processed"]),
        "control_folder": str(folders["control"]),
        "polling_interval": 0.05,
    }


def tidy(chosen: Chosen) -> None:
    """Remove messages that were processed a while ago."""
    before = time.time() - KEEP_SECONDS
    for path in Path(str(chosen.folder), "processed").glob("*.msg"):
        try:
            if path.stat().st_mtime < before:
                os.unlink(path)
        except FileNotFoundError:  # another process tidies too
            continue
