"""Seeing what a command leaves behind: its orphans become this process's children."""

import ctypes
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree
from typing import Protocol

import pytest

from tests.until import until

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


class Eventually(Protocol):
    """Polls a condition until it is true; a deadline makes its absence a failure."""

    def __call__(self, condition: Callable[[], object], seconds: float = ...) -> None: ...


@pytest.fixture(scope="session")
def eventually() -> Eventually:
    """`eventually(condition)` returns once the condition is true."""
    return until


class Subreaper:
    """Adopts every process whose parent ends, and knows which ones are new."""

    def __init__(self) -> None:
        self.before = self._children()

    def living(self) -> dict[int, str]:
        """Command lines of the children that appeared since, by pid; those that have ended are buried."""
        found = {}
        for pid in self._children() - self.before:
            ended, _ = os.waitpid(pid, os.WNOHANG)
            if not ended:
                found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    @staticmethod
    def _children() -> set[int]:
        lists = Path("/proc/self/task").glob("*/children")
        return {int(pid) for children in lists for pid in children.read_text().split()}


@pytest.fixture
def subreaper() -> Iterator[Subreaper]:
    """Within the test, orphans come to this process instead of to init."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    assert prctl(PR_SET_CHILD_SUBREAPER, 1) == 0
    yield Subreaper()
    assert prctl(PR_SET_CHILD_SUBREAPER, 0) == 0


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder with a path that is short enough for sockets."""
    made = Path(tempfile.mkdtemp(prefix="ts-"))
    yield made
    rmtree(made)


@pytest.fixture
def environment(folder: Path) -> dict[str, str]:
    """The environment of a machine where nothing is configured and temporary files go to `folder`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TRAINSHED_")}
    return inherited | {"TMPDIR": str(folder)}


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes to end if the test fails before it does so."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()
