"""The matrix product that kernels call: C ← op(A)·op(B), row by row.

It is MKL's where that is installed, otherwise that of NumPy's own BLAS, found in the library that NumPy has loaded. It
is called by its address, so kept machine code holds no address of an earlier process.

What that library is linked with is private ground of numpy, tried with 2.4 to 2.5.
"""

import ctypes
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from threading import Lock
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from threadpoolctl import LibController, ThreadpoolController

from engine.compiling import intrinsic
from engine.kernels.mkl import Mkl, installed

ROW_MAJOR, AS_IT_IS, TRANSPOSED = 101, 111, 112


def _library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(
            import_module("numpy._core._multiarray_umath").__file__
        )  # a look-up searches what it is linked with, too
    except OSError:
        return None


LIBRARY = _library()


def _found(*names: str) -> Any:
    return next((function for name in names if (function := getattr(LIBRARY, name, None)) is not None), None)


def _address(function: Any) -> int:
    return 0 if function is None else ctypes.cast(function, ctypes.c_void_p).value or 0


LETTERS = {np.dtype(np.float32): "s", np.dtype(np.float64): "d"}
NUMPYS = ("scipy_cblas_{}gemm64_", "cblas_{}gemm64_", "cblas_{}gemm")
GEMM = {kind: _address(_found(*(name.format(letter) for name in NUMPYS))) for kind, letter in LETTERS.items()}
"""The addresses of the products in each precision; 0 where this NumPy does not show them."""

used: Mkl | None = None  # whose products these are, unless they are NumPy's


def use(library: Mkl) -> None:
    """From now on all products of kernels are this library's."""
    global used
    GEMM.update({kind: _address(library.product(letter)) for kind, letter in LETTERS.items()})
    used = library


if (found := installed()) is not None:
    try:
        use(Mkl(found))
    except OSError as error:
        warnings.warn(f"MKL is installed but not used: {error}; products are NumPy's", RuntimeWarning, stacklevel=1)

numpys: LibController | None = next(iter(ThreadpoolController().select(user_api="blas").lib_controllers), None)
"""NumPy's BLAS: SciPy, which has one of its own, imports NumPy first. None where threadpoolctl knows none."""

# Not by threadpoolctl (3.8): it heeds but the first thread to set the number or, where OpenBLAS was built with OpenMP,
# sets it for the calling thread alone. Here blocks of several threads overlap, and any of them may be the last to end.
_set_threads = _found(*(f"{a}openblas_set_num_threads{b}" for a in ("scipy_", "") for b in ("64_", "")))


def threads() -> int:
    """How many threads the BLAS may use; 1 where that cannot be set."""
    with _lock:
        return _before if _inside else _threads_now()


def _threads_now() -> int:
    return int(numpys.num_threads) if numpys and _set_threads else 1


_lock, _inside, _before = Lock(), 0, 1


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside the block every product is computed by the thread that asks for it; blocks may overlap."""
    global _inside, _before
    with _lock:
        if _inside == 0 and _set_threads:
            _before = _threads_now()
            _set_threads(1)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0 and _set_threads:
                _set_threads(_before)


@intrinsic  # type: ignore[untyped-decorator]
def gemm(
    typing_context: Any,
    function: Any,
    transpose_a: Any,
    transpose_b: Any,
    m: Any,
    n: Any,
    k: Any,
    a: Any,
    lda: Any,
    b: Any,
    ldb: Any,
    c: Any,
    ldc: Any,
    array: Any,
) -> Any:
    """C ← op(A)·op(B), C being m × n; a, b and c are addresses, `array` says the precision."""
    number, whole = array.dtype, types.int64

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value, integer, word = context.get_value_type(number), ir.IntType(64), ir.IntType(32)
        function, ta, tb, m, n, k, a, lda, b, ldb, c, ldc, _ = arguments
        kinds = [word, word, word, integer, integer, integer, value, integer, integer, integer, integer, value,
                 integer, integer]  # fmt: skip
        pointer = builder.inttoptr(function, ir.FunctionType(ir.VoidType(), kinds).as_pointer())
        ta, tb = builder.trunc(ta, word), builder.trunc(tb, word)
        one, zero = ir.Constant(value, 1.0), ir.Constant(value, 0.0)
        builder.call(pointer, [word(ROW_MAJOR), ta, tb, m, n, k, one, a, lda, b, ldb, zero, c, ldc])
        return context.get_dummy_value()

    return types.void(*[whole] * 12, array), generate
