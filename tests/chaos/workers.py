"""Worker processes to be killed, frozen and started again, each on a core of its own."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
from pydantic import SecretStr

from worker.settings import Settings

PR_SET_PDEATHSIG = 1  # linux/prctl.h
LIBC = ctypes.CDLL(None)
ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from tests.chaos.mutants import become
become(sys.argv[1], sys.argv[2])
from worker.process.parent import run_worker
from worker.settings import Settings
sys.exit(run_worker(Settings()))
"""


class Worker:
    """A worker of one child; `mutant` is what is wrong with it."""

    def __init__(self, settings: Settings, core: int, log: Path, mutant: str = "none") -> None:
        self._settings = settings
        self._core = core
        self._log = log
        self._mutant = mutant
        self.start()

    def start(self) -> None:
        """Start it, again."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TRAINSHED_")}
        for name in self._settings.model_fields_set:
            value = getattr(self._settings, name)
            text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            environment[f"TRAINSHED_{name.upper()}"] = text
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", PROGRAM, self._mutant, str(self._settings.data_dir)],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=output,
                preexec_fn=self._settle,
            )

    def _settle(self) -> None:
        """On one core, and to die with the chaos."""
        os.sched_setaffinity(0, {self._core})
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    @property
    def running(self) -> bool:
        """Whether the parent lives."""
        return self._process.poll() is None

    def child(self) -> int | None:
        """The process that trains, once there is one."""
        try:
            children = psutil.Process(self._process.pid).children()
            return next((one.pid for one in children if one.status() != psutil.STATUS_ZOMBIE), None)
        except psutil.NoSuchProcess:
            return None

    def kill_child(self) -> bool:
        """SIGKILL to the process that trains; its parent forks another."""
        pid = self.child()
        if pid is None:
            return False
        os.kill(pid, signal.SIGKILL)
        return True

    def kill(self) -> None:
        """SIGKILL to the parent, with which its child ends."""
        self._process.kill()
        self._process.wait()

    def pids(self) -> Iterator[int]:
        """The parent and its child."""
        yield self._process.pid
        if (pid := self.child()) is not None:
            yield pid

    def ask_to_end(self) -> int:
        """SIGTERM, and the exit status."""
        self._process.terminate()
        return self._process.wait(30)
