"""Numbers below the smallest normal one, taken as zero while a step is computed.

The running averages of a weight whose gradient has become 0 decay into them, and a CPU takes fifty times as long for
each. x86-64 flushes them on request, thread by thread; elsewhere nothing is changed.
"""

import ctypes
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager

FLUSH_RESULTS, FLUSH_INPUTS = 1 << 15, 1 << 6  # of the register MXCSR
LIBRARY = ctypes.CDLL(None) if (sys.platform, platform.machine()) == ("linux", "x86_64") else None


class FloatingPointEnvironment(ctypes.Structure):
    """`fenv_t` of the C library on x86-64: the old floating-point unit's state, then MXCSR."""

    _fields_ = (("x87", ctypes.c_uint32 * 7), ("mxcsr", ctypes.c_uint32))


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Inside the block this thread's arithmetic neither takes nor gives denormal numbers."""
    if LIBRARY is None:
        yield
        return
    environment = FloatingPointEnvironment()
    LIBRARY.fegetenv(ctypes.byref(environment))
    before = environment.mxcsr
    environment.mxcsr = before | FLUSH_RESULTS | FLUSH_INPUTS
    LIBRARY.fesetenv(ctypes.byref(environment))
    try:
        yield
    finally:
        environment.mxcsr = before
        LIBRARY.fesetenv(ctypes.byref(environment))
