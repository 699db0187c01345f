"""A file on its way in: written to disk piece by piece, counted and hashed as it arrives."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path

from worker.errors import UploadTooLarge
from worker.storage.artifacts import Artifacts, room


class Upload:
    """Bytes that were received; the file exists until the block that received them ends."""

    def __init__(self, path: Path, file: RawIOBase, limit: int) -> None:
        self.path = path
        self.bytes = 0
        self._file = file
        self._limit = limit
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The hash of what has arrived so far."""
        return self._digest.hexdigest()

    def write(self, chunk: bytes) -> None:
        """Take the next piece; `UploadTooLarge` or `StorageFull` when it does not fit."""
        self.bytes += len(chunk)
        if self.bytes > self._limit:
            raise UploadTooLarge(self._limit)
        self._digest.update(chunk)
        view = memoryview(chunk)
        with room():
            while view:  # a full disk takes part of a piece before it refuses the rest
                view = view[self._file.write(view) :]


@contextmanager
def receive(artifacts: Artifacts, limit: int) -> Iterator[Upload]:
    """Somewhere to write an upload of at most `limit` bytes to."""
    with (
        artifacts.unfinished() as path,
        path.open("xb", buffering=0) as file,
    ):  # a buffer would fail once more, on closing, when a disk is full
        yield Upload(path, file, limit)
