"""Where the threads of a step wait for each other, and how they divide work that one may finish before the other.

A thread spins for some microseconds, since the others are about as fast, and then lets others use its core, since
users' machines are busy.
"""

import ctypes
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import NDArray

from engine.compiling import compiled, intrinsic

SPINS = 20_000
CLAIMS = 16  # from here on the counter's line is followed by one number for each piece of work that can be claimed
_sched_yield = getattr(ctypes.CDLL(None), "sched_yield", None)
YIELD = 0 if _sched_yield is None else ctypes.cast(_sched_yield, ctypes.c_void_p).value or 0


@intrinsic  # type: ignore[untyped-decorator]
def add_atomically(typing_context: Any, address: Any, amount: Any) -> Any:
    """Add to the integer at an address; what it was before."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", pointer, arguments[1], "seq_cst")

    return types.int64(types.int64, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def load_atomically(typing_context: Any, address: Any) -> Any:
    """The integer at an address, as the other threads have left it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def give_way(typing_context: Any, function: Any) -> Any:
    """Call sched_yield, whose address this is."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.FunctionType(ir.IntType(32), []).as_pointer())
        builder.call(pointer, [])
        return context.get_dummy_value()

    return types.void(types.int64), generate


@compiled
def meet(counter: NDArray[np.int64], threads: int, yielding: int) -> None:
    """Wait until all threads have come as often as this one; the counter only ever grows."""
    if threads == 1:
        return
    address = np.int64(counter.ctypes.data)
    mine = add_atomically(address, np.int64(1))
    wanted = (mine // threads + 1) * threads
    spins = 0
    while load_atomically(address) < wanted:
        spins += 1
        if spins > SPINS and yielding != 0:
            give_way(yielding)


@compiled
def claim(counter: NDArray[np.int64], number: int | np.int64, threads: int) -> bool:
    """Whether this thread is the first of a round to ask for a piece of work; all of them ask for all pieces."""
    if threads == 1:
        return True
    address = np.int64(counter.ctypes.data) + (CLAIMS + number) * np.int64(8)
    return bool(add_atomically(address, np.int64(1)) % threads == 0)
