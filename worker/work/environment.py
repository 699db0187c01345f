"""Where a job trains: what its last bits depend on."""

import platform
from collections.abc import Mapping

import numpy as np
from pydantic import JsonValue

from engine.kernels import blas as products

SAME = ("device", "blas", "blas_kernel", "products", "threads", "numpy", "machine")
"""Of these, all must agree for two runs to agree to the last bit."""


def environment(device: str = "cpu") -> dict[str, JsonValue]:
    """The device, the BLAS with the kernel that it chose for this processor, its threads, and the versions.

    `products` is whose matrix products the engine's kernels call, where these are not NumPy's.
    """
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    library = products.numpys.info() if products.numpys else {}
    return {
        "device": device,
        "blas": f"{built['name']} {built['version']}",
        "blas_kernel": library.get("architecture"),
        "products": products.used.name if products.used else None,
        "threads": library.get("num_threads"),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "host": platform.node(),
    }


def differences(before: Mapping[str, JsonValue], now: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """What of that differs and may change the last bits."""
    before = {"device": "cpu", **before}  # what older versions did not say
    return {name: [before.get(name), now.get(name)] for name in SAME if before.get(name) != now.get(name)}
