"""A process that belongs to this one: its output goes to a log, and it never outlives its parent."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Self

PR_SET_PDEATHSIG = 1  # linux/prctl.h


class ChildDied(Exception):
    """A process of the stack ended by itself; the message carries what it said, or the end of that."""

    def __init__(self, name: str, code: int, tail: str) -> None:
        said = f": {tail}" if len(tail.splitlines()) == 1 else f"; the last lines of its log:\n{tail}"
        super().__init__(f"the {name} ended with exit status {code}{said}")
        self.name = name
        self.code = code


class Child:
    """A running command, in a process group of its own."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path, begin: int = 0) -> None:
        self.name = name
        self.process = process
        self.log = log
        self._begin = begin  # of what it says: earlier ones have written before that

    @classmethod
    def start(
        cls,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        inherited: Sequence[int] = (),
    ) -> Self:
        """Run `command`; what it prints is appended to `log`, and it has the `inherited` file descriptors."""
        with log.open("ab") as output:
            begin = output.tell()
            process = subprocess.Popen(  # noqa: S603 - the command is this program itself
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                pass_fds=inherited,
                # Ctrl-C reaches the whole foreground group; who stops when is the parent's business.
                start_new_session=True,
                preexec_fn=_die_with(os.getpid()),
            )
        return cls(name, process, log, begin)

    def check(self) -> None:
        """Raise `ChildDied` unless the process is running."""
        code = self.process.poll()
        if code is not None:
            raise ChildDied(self.name, code, self.tail())

    def tail(self, lines: int = 20) -> str:
        """The end of what it said."""
        with self.log.open("rb") as log:
            log.seek(max(self._begin, self.log.stat().st_size - 200 * lines))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])

    def ask_to_stop(self) -> None:
        """Send SIGTERM and return at once."""
        if self.process.poll() is None:
            self.process.terminate()

    def stop(self, deadline: float) -> None:
        """Wait for the end until `deadline` on the monotonic clock, then kill the whole group."""
        try:
            self.process.wait(max(0.0, deadline - monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _die_with(parent: int) -> Callable[[], None] | None:
    """What the child runs before it becomes the command; only Linux has a signal for the parent's death."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)  # loaded here: between fork and exec nothing may be imported
    if prctl is None:
        return None

    def die_with_parent() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the signal was set
            os._exit(1)

    return die_with_parent
