"""Decoding processes by the thousand: forked from one that has imported the decoders, where each would take a while."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from engine.data.formats import decoding_process

PROGRAM = """
import json, os, runpy, sys
import arro3.core, arro3.io, numpy, python_calamine

main = runpy.run_path(sys.argv[1])["main"]
for line in sys.stdin:
    output, *arguments = json.loads(line)
    child = os.fork()
    if not child:
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            main(*arguments)
        finally:
            sys.stdout.flush()
            os._exit(0)
    os.waitpid(child, 0)
    print("done", flush=True)
"""


class DecodingServer:
    """Takes the place of `reading`, which starts a process for each file."""

    def __init__(self, folder: Path) -> None:
        script = decoding_process.__file__
        command = [sys.executable, "-I", "-c", PROGRAM, script]
        quiet = {**os.environ, "RUST_BACKTRACE": "0"}  # to draw one takes longer than to read a file
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=quiet)
        self._output = folder / "frames"
        self._folder = Path(script).parent

    @contextmanager
    def reading(self, decoder: str, path: Path, arguments: Iterable[str], damaged: str) -> Iterator[IO[bytes]]:
        order = [str(self._output), str(self._folder / decoder), str(path.resolve()), *arguments]
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps(order), file=self._process.stdin, flush=True)
        assert self._process.stdout.readline() == "done\n"
        with self._output.open("rb") as frames:
            yield frames

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
