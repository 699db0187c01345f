"""What Python runs first where this folder is on PYTHONPATH: it takes away what macOS lacks and what nobody declared.

NOT_DECLARED names, separated by commas, the modules that a plain install does not bring.
"""

import builtins
import ctypes
import importlib.abc
import io
import os
import resource
import select
import sys
from typing import Any

LINUX_CALLS = {
    os: ("sched_getaffinity", "sched_setaffinity", "posix_fadvise", "posix_fallocate", "memfd_create", "eventfd",
         "pidfd_open", "copy_file_range", "splice", "getrandom", "fdatasync", "sched_getscheduler", "pipe2"),
    select: ("epoll",),
    resource: ("prlimit", "RUSAGE_THREAD"),
}  # fmt: skip
LINUX_SYMBOLS = {"prctl", "mallopt", "malloc_trim", "gnu_get_libc_version"}
LINUX_FOLDERS = ("/proc", "/sys")

for module, names in LINUX_CALLS.items():
    for name in names:
        vars(module).pop(name, None)

found = ctypes.CDLL.__getattr__


def without(library: ctypes.CDLL, name: str) -> Any:
    if name in LINUX_SYMBOLS:
        raise AttributeError(f"dlsym: symbol not found: {name}")
    return found(library, name)


ctypes.CDLL.__getattr__ = without  # type: ignore[method-assign]


def refusing(call: Any) -> Any:
    """The same, where there are no such folders."""

    def refuse(path: Any = ".", *arguments: Any, **options: Any) -> Any:
        if isinstance(path, str | os.PathLike) and os.fspath(path).startswith(LINUX_FOLDERS):
            raise FileNotFoundError(2, "No such file or directory", os.fspath(path))
        return call(path, *arguments, **options)

    return refuse


builtins.open = io.open = refusing(io.open)
for name in ("open", "stat", "lstat", "listdir", "scandir", "readlink"):
    setattr(os, name, refusing(getattr(os, name)))


class Undeclared(importlib.abc.MetaPathFinder):
    """Refuses what is in this environment for other reasons than the declared ones."""

    modules = frozenset(filter(None, os.environ.get("NOT_DECLARED", "").split(",")))

    def find_spec(self, name: str, path: Any, target: Any = None) -> None:
        if name.partition(".")[0] in self.modules:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Undeclared())
