"""The files behind the rows: datasets, parameter sets and models, whole on disk before a row names them."""

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from worker.errors import ArtifactDamaged, StorageFull

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NO_LINK = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EMLINK}  # the file system has no hard links
STALE_SECONDS = 3600.0


class Artifacts:
    """Files under one folder, with names that the server makes."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._unfinished = self._root / "unfinished"

    def refuse_if_full(self, reserve: int) -> None:
        """Raise `StorageFull` while fewer bytes than these are free: what is under way needs them to come to an end."""
        with room():
            _folder(self._root)
        free = shutil.disk_usage(self._root).free
        if free < reserve:
            raise StorageFull(
                f"the disk of TRAINSHED_DATA_DIR has {free} bytes left, and {reserve} are kept free for what is under "
                "way (TRAINSHED_DISK_RESERVE_BYTES); free some space and try again"
            )

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

    def sha256(self, path: Path) -> str:
        """The hash of a file's content."""
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()

    def link(self, source: Path, name: str) -> None:
        """Give a file another name, under which it stays when the first is removed; where it has it, do nothing."""
        path = self._root / name
        if path.exists():
            return
        with room():
            _folder(path.parent)
            try:
                with source.open("rb") as content:
                    os.fsync(content.fileno())
                source.chmod(0o600)
                path.hardlink_to(source)
            except FileExistsError:
                return
            except OSError as error:
                if error.errno not in NO_LINK:
                    raise
                self._copy(source, name)
            _sync(path.parent)

    def _copy(self, source: Path, name: str) -> None:
        with self.unfinished() as copy:
            shutil.copyfile(source, copy)
            self.keep(copy, name)

    def path(self, file: str) -> Path:
        """Where the artifact lies; `ArtifactDamaged` when it is not there."""
        path = self._root / file
        if not path.is_file():
            raise ArtifactDamaged(f"the stored file {file} is missing from TRAINSHED_DATA_DIR")
        return path

    def verified(self, file: str, sha256: str) -> Path:
        """Where the artifact lies; `ArtifactDamaged` unless it is, byte for byte, the one that was kept."""
        path = self.path(file)
        if self.sha256(path) != sha256:
            raise ArtifactDamaged(f"the stored file {file} has changed since it was stored")
        return path

    def files(self, folder: str) -> set[str]:
        """The artifacts in a folder; none where there is no such folder."""
        return {str(path.relative_to(self._root)) for path in (self._root / folder).glob("*")}

    def older_than(self, before: float, folder: str) -> list[str]:
        """The artifacts at any depth of a folder that were written before a time, in seconds since 1970."""
        found = []
        for path in (self._root / folder).rglob("*"):
            with suppress(FileNotFoundError):  # another process sweeps too
                if path.is_file() and path.stat().st_mtime < before:
                    found.append(str(path.relative_to(self._root)))
        return found

    def remove_empty(self, before: float, folder: str) -> None:
        """Remove folders in a folder that have been empty since before a time."""
        for path in (self._root / folder).glob("*/"):
            with suppress(OSError):  # not empty, or removed by another process
                if path.stat().st_mtime < before:
                    path.rmdir()

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
            raise StorageFull("the disk of TRAINSHED_DATA_DIR is full; free some space and try again") from error
        if error.errno == errno.EROFS:
            raise StorageFull(
                "the disk of TRAINSHED_DATA_DIR can only be read; mount it so that it can be written"
            ) from error
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
