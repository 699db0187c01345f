"""The stack that runs on a data folder: at most one at a time, which other processes on the folder can find."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from worker.errors import DataFolderInUse

LOCK_SECONDS = 0.5  # who looks for a stack holds its lock for an instant


@dataclass(frozen=True)
class RunningStack:
    """A stack, as it describes itself to other processes."""

    pid: int
    url: str | None  # where its API answers
    redis_url: str | None = None  # of its embedded Redis, once that runs

    def __str__(self) -> str:
        return f"process {self.pid}" + (f", which answers at {self.url}" if self.url else "")


@contextmanager
def claim_folder(data_dir: Path, url: str | None) -> Iterator[Callable[[str], None]]:
    """Be the one stack on the folder; the block is given a function that tells others of the embedded Redis.

    The kernel gives the claim back when the process ends, however it ends. Raises `DataFolderInUse`, which names the
    other stack.
    """
    from filelock import FileLock, Timeout  # only here: to look for a stack takes none of it

    run = data_dir.absolute() / "run"
    run.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Not by the file's being there, as filelock does where a filesystem knows no locks: that outlives a process.
    lock = FileLock(run / "stack.lock", LOCK_SECONDS, 0o600, False, poll_interval=0.01, fallback_to_soft=False)
    try:
        claim = lock.acquire()
    except Timeout:
        other = _described(data_dir)
        raise DataFolderInUse(data_dir, "another process" if other is None else str(other)) from None
    with claim:
        stack = RunningStack(os.getpid(), url)
        _describe(data_dir, stack)
        try:
            yield lambda redis_url: _describe(data_dir, replace(stack, redis_url=redis_url))
        finally:
            _path(data_dir).unlink(missing_ok=True)


def refuse_other_stack(data_dir: Path) -> None:
    """Raise `DataFolderInUse` if a stack runs on the folder; it may still be claimed by another one afterwards."""
    if (other := find_stack(data_dir)) is not None:
        raise DataFolderInUse(data_dir, str(other))


def find_stack(data_dir: Path) -> RunningStack | None:
    """The stack that runs on the folder; what one that was killed has left behind does not count."""
    # Many may look at once, each sharing the lock with the others: filelock's are exclusive, on the same file.
    try:
        lock = os.open(data_dir.absolute() / "run" / "stack.lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _described(data_dir)
    else:
        return None
    finally:
        os.close(lock)


def _describe(data_dir: Path, stack: RunningStack) -> None:
    path = _path(data_dir)
    unfinished = path.with_suffix(".unfinished")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # it holds a password
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(stack), file)
    unfinished.rename(path)


def _described(data_dir: Path) -> RunningStack | None:
    try:
        return RunningStack(**json.loads(_path(data_dir).read_text()))
    except FileNotFoundError:
        return None


def _path(data_dir: Path) -> Path:
    return data_dir.absolute() / "run" / "stack.json"
