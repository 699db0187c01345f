"""Where a job trains: what its last bits depend on."""

import ctypes
import platform
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from engine.kernels import blas as products

NAMES = ("scipy_openblas_{}64_", "scipy_openblas_{}", "openblas_{}64_", "openblas_{}")
SAME = ("device", "blas", "blas_kernel", "products", "threads", "numpy", "machine")
"""Of these, all must agree for two runs to agree to the last bit."""


def environment(device: str = "cpu") -> dict[str, JsonValue]:
    """The device, the BLAS with the kernel that it chose for this processor, its threads, and the versions.

    `products` is whose matrix products the engine's kernels call, where these are not NumPy's.
    """
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    library = _openblas()
    return {
        "device": device,
        "blas": f"{built['name']} {built['version']}",
        "blas_kernel": _ask(library, "get_corename", ctypes.c_char_p),
        "products": products.used.name if products.used else None,
        "threads": _ask(library, "get_num_threads", ctypes.c_int),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "host": platform.node(),
    }


def differences(before: Mapping[str, JsonValue], now: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """What of that differs and may change the last bits."""
    before = {"device": "cpu", **before}  # what older versions did not say
    return {name: [before.get(name), now.get(name)] for name in SAME if before.get(name) != now.get(name)}


def _openblas() -> ctypes.CDLL | None:
    """The library that NumPy has loaded; nothing but the kernel's map of this process knows its path."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return None
    paths = {line.split()[-1] for line in maps.read_text().splitlines() if "openblas" in line}
    return ctypes.CDLL(min(paths)) if paths else None


def _ask(library: ctypes.CDLL | None, question: str, answers: type[ctypes.c_char_p] | type[ctypes.c_int]) -> JsonValue:
    for name in NAMES if library is not None else ():
        function = getattr(library, name.format(question), None)
        if function is not None:
            function.restype, function.argtypes = answers, ()
            answer = function()
            return answer.decode() if isinstance(answer, bytes) else int(answer)
    return None
