"""What a process of its own makes of a file, so that its memory can have a bound and it may crash.

What it writes are frames: a line of JSON, and behind it the bytes that the line announces.
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
def reading(decoder: Path, path: Path, arguments: Iterable[str], damaged: str) -> Iterator[IO[bytes]]:
    """What the process writes about a file, as a decoder's own file has it; it is ended when nobody reads on.

    DataError, `damaged`, where it does not begin.
    """
    script = Path(__file__).with_name("decoding_process.py")
    command = [sys.executable, "-I", str(script), str(decoder), str(path.resolve()), *arguments]
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
