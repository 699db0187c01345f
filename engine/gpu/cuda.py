"""The GPU by way of CuPy, which is imported here and nowhere else, and only by a process that trains on one.

CuPy refuses its own cuBLAS calls while a stream is captured, so products go to cuBLAS itself, with a handle and a
workspace of this file's own: cuBLAS then allocates nothing, and every product of a run uses the same one after the
other, which keeps their bits the same from run to run.
"""

import ctypes
from collections.abc import Callable
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from engine.errors import DeviceUnavailable, OutOfMemory
from engine.gpu import KERNELS
from engine.gpu.device import Device
from engine.gpu.kernel import Array, Kernel, source
from engine.parameters import Shape

WORKSPACE = 32 << 20  # bytes, as NVIDIA advises for Hopper
AS_IT_IS, TRANSPOSED = 0, 1  # cublasOperation_t
PLAIN_MATH, TF32_MATH = 0, 3  # cublasMath_t
TO_DEVICE, TO_HOST, ON_DEVICE = 1, 2, 3  # cudaMemcpyKind


@cache
def find_gpu() -> "Gpu":
    """The first GPU that CuPy sees; raises DeviceUnavailable where there is none, and says what is missing."""
    try:
        import cupy

        if int(cupy.cuda.runtime.getDeviceCount()) == 0:
            raise DeviceUnavailable("no GPU can be used here: CuPy sees none")
        cupy.cuda.device.get_cublas_handle()  # loads the cuBLAS that CuPy (tried: 14) was built for
        return Gpu(cupy, ctypes.CDLL(_loaded("libcublas.so")))
    except ImportError as error:  # of CuPy, or by it of a library of CUDA
        raise DeviceUnavailable(f"no GPU can be used here: CuPy does not load: {error}") from error
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise DeviceUnavailable(f"no GPU can be used here: {error}") from error


class Gpu(Device):
    """One GPU with a stream for the steps and one for copies beside them."""

    def __init__(self, cupy: Any, cublas: Any) -> None:
        self.cupy, self.runtime = cupy, cupy.cuda.runtime
        self.name = self.runtime.getDeviceProperties(0)["name"].decode()
        self.stream = cupy.cuda.Stream(non_blocking=True)
        self.copies = cupy.cuda.Stream(non_blocking=True)
        self.known: dict[np.dtype[np.floating], dict[str, Any]] = {}
        self.functions: dict[str, Any] = {}
        self.blas = _Blas(cupy, cublas, self.stream)

    def begin(self, dtype: np.dtype[np.floating], *, tf32: bool) -> None:
        self.cupy.get_default_memory_pool().free_all_blocks()  # what the last run had
        self.wanted = 0
        self.functions = self._compiled(dtype)
        self.blas.use(TF32_MATH if tf32 else PLAIN_MATH)

    def free(self) -> int:
        pool = self.cupy.get_default_memory_pool()
        return int(self.runtime.memGetInfo()[0]) + int(pool.free_bytes())

    def zeros(self, shape: Shape | int, dtype: DTypeLike) -> Array:
        there, had = self.free(), self.wanted
        self.wanted += prod(shape if isinstance(shape, tuple) else (shape,)) * np.dtype(dtype).itemsize
        try:
            with self.stream:
                made: Array = self.cupy.zeros(shape, dtype)
            self.stream.synchronize()  # a copy beside the steps must not be overwritten by these zeros
        except self.cupy.cuda.memory.OutOfMemoryError as error:
            raise OutOfMemory(self.name, self.wanted, there + had) from error
        return made

    def staging(self, shape: Shape | int, dtype: DTypeLike) -> Array:
        shape, kind = shape if isinstance(shape, tuple) else (shape,), np.dtype(dtype)
        count = prod(shape)
        pinned = self.cupy.cuda.alloc_pinned_memory(max(1, count * kind.itemsize))
        return np.frombuffer(pinned, kind, count).reshape(shape)

    def send(self, source: NDArray[np.generic], target: Array, *, beside: bool = False) -> None:
        stream = self.copies if beside else self.stream
        self.runtime.memcpyAsync(_address(target), source.ctypes.data, source.nbytes, TO_DEVICE, stream.ptr)

    def fetch(self, source: Array, target: NDArray[np.generic]) -> None:
        self.runtime.memcpyAsync(target.ctypes.data, _address(source), target.nbytes, TO_HOST, self.stream.ptr)
        self.stream.synchronize()

    def copy(self, source: Array, target: Array) -> None:
        self.runtime.memcpyAsync(_address(target), _address(source), source.nbytes, ON_DEVICE, self.stream.ptr)

    def launch(self, kernel: Kernel, *arguments: Array | float | None) -> None:
        height, width = kernel.size(arguments)
        grid, block = kernel.threads(height, width)
        passed = tuple(0 if one is None else one for one in arguments)  # eight bytes of 0: a null pointer
        with self.stream:
            self.functions[kernel.name](grid, block, (*passed, height, width))

    def _compiled(self, dtype: np.dtype[np.floating]) -> dict[str, Any]:
        """The kernels for numbers of this kind, compiled and loaded: neither may happen while a step is recorded."""
        if dtype not in self.known:
            module = self.cupy.RawModule(code=source(dtype))
            found = {each.name: module.get_function(each.name) for each in KERNELS}
            for function in found.values():
                function.compile()
            self.known[dtype] = found
        return self.known[dtype]

    def product(self, A: Array, B: Array, out: Array, *, transposed: str = "") -> None:
        self.blas.product(A, B, out, transposed)

    def recorded(self, enqueue: Callable[[], None]) -> Callable[[], None]:
        with self.stream:
            self.stream.begin_capture()
            try:
                enqueue()
            finally:
                graph = self.stream.end_capture()
        return lambda: graph.launch(self.stream)

    def mark(self) -> Callable[[], None]:
        event = self.cupy.cuda.Event(disable_timing=True)
        event.record(self.stream)
        wait: Callable[[], None] = event.synchronize
        return wait

    def meet(self) -> None:
        event = self.cupy.cuda.Event(disable_timing=True)
        event.record(self.copies)
        self.stream.wait_event(event)


class _Blas:
    """cuBLAS, told in rows what it knows in columns: out = A·B in rows is outᵀ = Bᵀ·Aᵀ in columns."""

    def __init__(self, cupy: Any, library: Any, stream: Any) -> None:
        self.library = library
        self.handle = ctypes.c_void_p()
        self._call("cublasCreate_v2", ctypes.byref(self.handle))
        self._call("cublasSetStream_v2", self.handle, ctypes.c_void_p(stream.ptr))
        self.workspace = cupy.cuda.alloc(WORKSPACE)  # set after the stream, which takes it away
        self._call(
            "cublasSetWorkspace_v2", self.handle, ctypes.c_void_p(self.workspace.ptr), ctypes.c_size_t(WORKSPACE)
        )
        self.scalars = {
            np.dtype(np.float32): ("cublasSgemm_v2", ctypes.c_float(1), ctypes.c_float(0)),
            np.dtype(np.float64): ("cublasDgemm_v2", ctypes.c_double(1), ctypes.c_double(0)),
        }

    def use(self, math: int) -> None:
        """Round the factors of a product in float32 to TF32, or leave them."""
        self._call("cublasSetMathMode", self.handle, ctypes.c_int(math))

    def product(self, A: Array, B: Array, out: Array, transposed: str) -> None:
        """All three are whole matrices, row after row."""
        (m, n), k = out.shape, A.shape[0 if transposed == "A" else 1]
        name, one, none = self.scalars[out.dtype]
        self._call(
            name,
            self.handle,
            ctypes.c_int(TRANSPOSED if transposed == "B" else AS_IT_IS),
            ctypes.c_int(TRANSPOSED if transposed == "A" else AS_IT_IS),
            ctypes.c_int(n),
            ctypes.c_int(m),
            ctypes.c_int(k),
            ctypes.byref(one),
            ctypes.c_void_p(_address(B)),
            ctypes.c_int(B.shape[1]),
            ctypes.c_void_p(_address(A)),
            ctypes.c_int(A.shape[1]),
            ctypes.byref(none),
            ctypes.c_void_p(_address(out)),
            ctypes.c_int(n),
        )

    def _call(self, name: str, *arguments: object) -> None:
        status = getattr(self.library, name)(*arguments)
        if status != 0:
            raise DeviceUnavailable(f"the GPU's {name} failed with status {status}")


def _address(array: Any) -> int:
    return int(array.data.ptr)


def _loaded(name: str) -> str:
    """The path of a library that this process has loaded; nothing but the kernel's map of it knows."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    paths = {line.split()[-1] for line in lines if name in line}
    if not paths:
        raise DeviceUnavailable(f"no GPU can be used here: {name} is not loaded")
    return min(paths)
