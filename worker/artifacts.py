"""The files behind the rows: datasets, parameter sets and models, whole on disk before a row names them."""

import errno
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from worker.errors import ArtifactDamaged, StorageFull

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
STALE_SECONDS = 3600.0


class Artifacts:
    """Files under one folder, with names that the server makes."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._unfinished = self._root / "unfinished"

    @contextmanager
    def unfinished(self) -> Iterator[Path]:
        """A path for a file that does not count yet; what is left of it at the end is removed."""
        path = self._unfinished / uuid4().hex
        with room():
            _folder(self._unfinished)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def keep(self, unfinished: Path, file: str) -> str:
        """Give a finished file its name, so that it is there wholly or not at all; its SHA-256."""
        path = self._root / file
        with room():
            _folder(path.parent)
            with unfinished.open("rb") as content:
                sha256 = hashlib.file_digest(content, "sha256").hexdigest()
                os.fsync(content.fileno())
            unfinished.chmod(0o600)
            unfinished.rename(path)
            _sync(path.parent)
        return sha256

    def path(self, file: str) -> Path:
        """Where the artifact lies; `ArtifactDamaged` when it is not there."""
        path = self._root / file
        if not path.is_file():
            raise ArtifactDamaged(f"the stored file {file} is missing from TRAINYARD_DATA_DIR")
        return path

    def verified(self, file: str, sha256: str) -> Path:
        """Where the artifact lies; `ArtifactDamaged` unless it is, byte for byte, the one that was kept."""
        path = self.path(file)
        with path.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
        if found != sha256:
            raise ArtifactDamaged(f"the stored file {file} has changed since it was stored")
        return path

    def discard(self, file: str) -> None:
        """Remove an artifact that no row names any more."""
        (self._root / file).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what processes that were killed an hour ago or earlier left unfinished."""
        before = time.time() - STALE_SECONDS
        for path in self._unfinished.glob("*"):
            try:
                if path.stat().st_mtime < before:
                    path.unlink()
            except FileNotFoundError:  # another process sweeps too
                continue


@contextmanager
def room() -> Iterator[None]:
    """Say `StorageFull` where the system says that a file has no room."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise StorageFull("the disk of TRAINYARD_DATA_DIR is full; free some space and try again") from error
        raise


def _folder(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def _sync(folder: Path) -> None:
    """A rename survives a power cut only once its folder is on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
