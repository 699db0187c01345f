"""Keeps a Redis server running until its owner is gone. Run as a program by `embedded_redis`.

It imports little and nothing of this package, so that it starts at once and stays small.
"""

import ctypes
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
RESTART_SECONDS = 0.2


def main(binary: str, configuration: str) -> None:
    """Run the server until stdin, which nobody writes to, comes to its end."""
    folder = Path(configuration).parent
    prctl = getattr(ctypes.CDLL(None), "prctl", None)  # only Linux has it
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the owner's end is the only one that counts
    try:
        with (folder / "redis.log").open("wb") as log:
            while not _owner_is_gone(0):
                server = subprocess.Popen(  # noqa: S603
                    [binary, configuration],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    # it dies with this process, even if that is killed
                    preexec_fn=prctl and (lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL)),
                )
                try:
                    while server.poll() is None and not _owner_is_gone(RESTART_SECONDS):
                        pass
                finally:
                    server.kill()
                    server.wait()
                time.sleep(RESTART_SECONDS if not _owner_is_gone(0) else 0)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _owner_is_gone(seconds: float) -> bool:
    readable, _, _ = select.select([0], [], [], seconds)
    return bool(readable)


if __name__ == "__main__":
    main(*sys.argv[1:])
