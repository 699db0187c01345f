"""The process in which a decoder that others wrote reads a file: `python decoding_process.py DECODER FILE [MORE …]`.

It has a bound of memory, and what the decoder yields is written to its output as frames: a line of JSON, and behind it
the bytes that follow. The last frame is null; one may say why the file is refused.
"""

import json
import resource
import runpy
import sys

MEMORY = 1 << 30  # bytes of address space beyond what the libraries take


def main(decoder: str, path: str, *more: str) -> None:
    """Write the frames of a file; the process has no more memory than MEMORY for it."""
    frames = runpy.run_path(decoder)["frames"]
    bound_memory()
    for frame in frames(path, *more):
        if isinstance(frame, bytes):
            sys.stdout.buffer.write(frame)
        else:
            sys.stdout.buffer.write(json.dumps(frame).encode() + b"\n")


def bound_memory() -> None:
    """Allow MEMORY beyond what is held; on Linux only, as macOS neither says what is held nor heeds a bound."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
    except FileNotFoundError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))


if __name__ == "__main__":
    main(*sys.argv[1:])
