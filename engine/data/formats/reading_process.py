"""A process of its own that decodes a file for this one, so that its memory can have a bound and it may crash.

What it writes are frames: a line of JSON, and behind it what the line announces.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from engine.errors import DataError


@contextmanager
def reading(script: str, path: Path, arguments: Iterable[str], damaged: str) -> Iterator[IO[bytes]]:
    """What the script beside this file writes about the file; it is ended when nobody reads on.

    DataError, `damaged`, where it does not begin.
    """
    command = [sys.executable, "-I", str(Path(__file__).with_name(script)), str(path.resolve()), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - ours
        try:
            if process.stdout is None:
                raise DataError(damaged)
            yield process.stdout
        finally:
            process.kill()


def read_frame(frames: IO[bytes], damaged: str) -> dict[str, Any] | None:
    """The next frame's line; None behind the last one. DataError where the process ended early, or refuses the file."""
    line = frames.readline()
    if not line.endswith(b"\n"):
        raise DataError(damaged)
    frame: dict[str, Any] | None = json.loads(line)
    if frame is not None and "refused" in frame:
        raise DataError(str(frame["refused"]))
    return frame
