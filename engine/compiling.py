"""How Python becomes machine code: once on a machine, kept on disk for every later process.

Code is kept under the hash of all kernels: one that calls another holds a copy of it, so a change to either is a
change to both.

The folder of what is kept, the import of SciPy that is spared, and views of arrays are private ground of numba, tried
with 0.68.
"""

import hashlib
from collections.abc import Callable
from importlib import import_module
from os import environ
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba import types
from numba.extending import overload
from numba.np import linalg

caching: Any = import_module("numba.core.caching")
intrinsic: Any = numba.extending.intrinsic
njit: Any = numba.njit
config: Any = numba.config
Function = TypeVar("Function", bound=Callable[..., Any])

if "NUMBA_CACHE_DIR" not in environ:
    engine = Path(__file__).parent
    sources = [Path(__file__), *sorted((engine / "kernels").glob("*.py"))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    kept = engine / "__pycache__"
    try:
        kept.mkdir(exist_ok=True)
        (kept / ".writable").touch()
    except OSError:  # an installation that others own
        kept = Path.home() / ".cache" / "trainshed"
    config.CACHE_DIR = str(kept / f"machine-{digest[:16]}")


def _refuse() -> None:
    raise ImportError("kernels use NumPy's BLAS")


# When Numba loads this module it imports all of SciPy's linear algebra to see whether it is there, which takes longer
# than loading the kernels. They have no use for it; whoever has, through Numba, asks again.
asking, linalg.ensure_blas = linalg.ensure_blas, _refuse
try:
    import_module("numba.np.arraymath")
    arrays: Any = import_module("numba.np.arrayobj")
finally:
    linalg.ensure_blas = asking

# Nothing is allocated inside, so no array's references need counting: every slice would count atomically, twice.
UNCOUNTED = {"_nrt": False}
INNER = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True} | UNCOUNTED


def compiled(function: Function) -> Function:
    """Machine code for other kernels to call; it divides as the hardware does and may fuse a·b + c."""
    kernel: Function = njit(**INNER, fastmath={"contract"})(function)
    return kernel


def inlined(function: Function) -> Function:
    """Part of each kernel that calls it, which is how a view of an array can be returned."""
    kernel: Function = njit(inline="always", **INNER)(function)
    return kernel


def summing(function: Function) -> Function:
    """The same, where the order of a sum is of no account, so that several are formed at once."""
    kernel: Function = njit(**INNER, fastmath={"contract", "reassoc"})(function)
    return kernel


class KeptOneAtATime(caching.FunctionCache):  # type: ignore[misc]
    """Numba's folder of machine code: of two processes that keep theirs of one function, neither loses it."""

    def save_overload(self, signature: Any, code: Any) -> None:
        from filelock import FileLock  # only here: what is kept already needs none of it

        folder = Path(self.cache_path)
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", fallback_to_soft=False):
            super().save_overload(signature, code)


def entrance(function: Function) -> Function:
    """Machine code for Python to call: kept on disk, with all that it calls, and run without the interpreter's lock."""
    kernel: Any = _kept(function, error_model="numpy", fastmath={"contract"}, **UNCOUNTED)
    if isinstance(kernel._cache, caching.FunctionCache):
        kernel._cache = KeptOneAtATime(function)
    return cast(Function, kernel)


def strict(signature: Any) -> Callable[[Function], Function]:
    """The same for known kinds of arguments: made where it is defined, every operation rounded as IEEE 754 has it."""
    return lambda function: _kept(function, signature)


def _kept(function: Function, *signature: Any, **options: Any) -> Function:
    """On disk, if there is a folder for it; otherwise every process compiles anew."""
    try:
        kernel: Function = njit(*signature, nogil=True, cache=True, **options)(function)
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        kernel = njit(*signature, nogil=True, **options)(function)
    return kernel


def like(array: Any, number: float) -> Any:
    """The number in the array's precision: arithmetic with it stays there."""
    return array.dtype.type(number)


@overload(like)
def _like(array: Any, number: Any) -> Any:
    if not isinstance(array, types.Array):
        return None
    precision = array.dtype

    def cast(array: Any, number: Any) -> Any:
        return precision(number)

    return cast


@intrinsic  # type: ignore[untyped-decorator]
def rows_of(typing_context: Any, array: Any, at: Any, rows: Any, n: Any) -> Any:
    """The rows × n numbers of a vector that begin at `at`, as a matrix."""
    view = types.Array(array.dtype, 2, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole, at, rows, n = arguments
        source = arrays.make_array(array)(context, builder, whole)
        matrix = arrays.make_array(view)(context, builder)
        size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(array.dtype)))
        arrays.populate_array(
            matrix, data=builder.gep(source.data, [at]), shape=[rows, n], strides=[builder.mul(n, size), size],
            itemsize=size, meminfo=None,
        )  # fmt: skip
        return matrix._getvalue()

    return view(array, types.int64, types.int64, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def bits_as_float(typing_context: Any, bits: Any) -> Any:
    """The float32 that has these 32 bits."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.float32))

    return types.float32(types.int32), generate
