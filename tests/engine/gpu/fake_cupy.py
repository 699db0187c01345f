"""CuPy and cuBLAS as far as `engine.gpu.cuda` speaks to them, imitated by NumPy and a C++ compiler.

It stands up for the rules of a stream: work is done in the order it came, but what comes while a stream is captured is
only written down, and done whenever the graph is launched; memory may not be taken meanwhile.
"""

import ctypes
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from engine.gpu.kernel import KERNELS
from tests.engine.gpu.compiled_text import CompiledText

KINDS = {"cublasSgemm_v2": (np.float32, ctypes.c_float), "cublasDgemm_v2": (np.float64, ctypes.c_double)}


class OutOfMemoryError(MemoryError):
    """As CuPy has it."""


class DeviceArray(np.ndarray):
    """An array whose address is where CuPy has it."""

    @property
    def data(self) -> Any:  # type: ignore[override]
        return SimpleNamespace(ptr=self.ctypes.data)


class Stream:
    """Streams of the same device; `cupy` counts what was done."""

    def __init__(self, cupy: "FakeCupy", number: int) -> None:
        self.cupy, self.ptr, self.written = cupy, number, None
        self.synchronized = 0

    def __enter__(self) -> "Stream":
        self.cupy.current = self
        return self

    def __exit__(self, *_: object) -> None:
        self.cupy.current = None

    def do(self, work: Callable[[], None]) -> None:
        if self.written is None:
            work()
        else:
            self.written.append(work)

    def begin_capture(self) -> None:
        assert self.written is None
        self.written: list[Callable[[], None]] | None = []

    def end_capture(self) -> Any:
        written, self.written = self.written or [], None
        self.cupy.graphs += 1

        def launch(stream: Stream) -> None:
            assert stream.written is None
            self.cupy.launches += 1
            for work in written:
                work()

        return SimpleNamespace(launch=launch)

    def synchronize(self) -> None:
        assert self.written is None
        self.synchronized += 1

    def wait_event(self, event: object) -> None:
        assert self.written is None


class FakeCupy:
    """The module `cupy`, and cuBLAS beside it, on a device with so many bytes."""

    def __init__(self, memory: int = 1 << 40) -> None:
        self.memory, self.taken, self.graphs, self.launches = memory, 0, 0, 0
        self.current: Stream | None = None
        self.streams: dict[int, Stream] = {}
        self.math: list[int] = []
        self.cuda = SimpleNamespace(
            Stream=self._stream,
            Event=lambda disable_timing: SimpleNamespace(record=lambda stream: None, synchronize=lambda: None),
            alloc=self._alloc,
            alloc_pinned_memory=bytearray,
            memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
            runtime=SimpleNamespace(
                getDeviceProperties=lambda number: {"name": b"Fake GPU"},
                memGetInfo=lambda: (self.memory - self.taken, self.memory),
                memcpyAsync=self._copy,
            ),
        )

    def zeros(self, shape: Any, dtype: Any) -> DeviceArray:
        assert self.current is not None and self.current.written is None
        made = np.zeros(shape, dtype).view(DeviceArray)
        self.taken += made.nbytes
        if self.taken > self.memory:
            self.taken -= made.nbytes
            raise OutOfMemoryError
        return made

    def get_default_memory_pool(self) -> Any:
        return SimpleNamespace(free_all_blocks=lambda: None, free_bytes=lambda: 0)

    def RawModule(self, code: str) -> Any:  # noqa: N802 - CuPy's own name
        text = CompiledText()
        text.begin(np.dtype("float32" if "#define REAL float" in code else "float64"), tf32=False)
        known = {each.name: each for each in KERNELS}
        compiled: set[str] = set()

        def get_function(name: str) -> Any:
            return Function(
                lambda grid, block, arguments: call(name, grid, block, arguments), lambda: compiled.add(name)
            )

        def call(name: str, grid: Any, block: Any, arguments: tuple[Any, ...]) -> None:
            assert self.current is not None and name in compiled
            *plain, height, width = arguments
            assert (grid, block) == known[name].threads(height, width)
            passed = [None if type(one) is int and one == 0 else one for one in plain]
            self.current.do(lambda: text.call(name, grid, block, (*passed, height, width)))

        return SimpleNamespace(get_function=get_function)

    def _stream(self, non_blocking: bool) -> Stream:
        assert non_blocking  # the default stream cannot be captured
        stream = Stream(self, len(self.streams) + 1)
        self.streams[stream.ptr] = stream
        return stream

    def _alloc(self, size: int) -> Any:
        memory = bytearray(size)
        self._workspace = memory
        return SimpleNamespace(ptr=ctypes.addressof(ctypes.c_char.from_buffer(memory)))

    def _copy(self, target: int, source: int, size: int, kind: int, stream: int) -> None:
        self.streams[stream].do(lambda: ctypes.memmove(target, source, size) and None)

    # -- cuBLAS: every matrix column by column

    def cublasCreate_v2(self, handle: Any) -> int:  # noqa: N802
        return 0

    def cublasSetStream_v2(self, handle: Any, stream: Any) -> int:  # noqa: N802
        self.blas_stream = self.streams[stream.value]
        return 0

    def cublasSetWorkspace_v2(self, handle: Any, memory: Any, size: Any) -> int:  # noqa: N802
        assert memory.value and size.value == len(self._workspace)
        return 0

    def cublasSetMathMode(self, handle: Any, mode: Any) -> int:  # noqa: N802
        self.math.append(mode.value)
        return 0

    def __getattr__(self, name: str) -> Callable[..., int]:
        kind, number = KINDS[name]

        def gemm(handle: Any, by_a: Any, by_b: Any, m: Any, n: Any, k: Any, alpha: Any, A: Any, lda: Any, B: Any,
                 ldb: Any, beta: Any, C: Any, ldc: Any) -> int:  # fmt: skip
            def columns(address: Any, leading: int, rows: int, count: int) -> np.ndarray:
                flat = np.ctypeslib.as_array((number * (leading * count)).from_address(address.value))
                assert flat.dtype == kind
                return flat.reshape(count, leading).T[:rows]

            rows, inner, across = m.value, k.value, n.value
            one = columns(A, lda.value, *((inner, rows) if by_a.value else (rows, inner)))
            other = columns(B, ldb.value, *((across, inner) if by_b.value else (inner, across)))
            out = columns(C, ldc.value, rows, across)

            def work() -> None:
                np.copyto(out, (one.T if by_a.value else one) @ (other.T if by_b.value else other))

            self.blas_stream.do(work)
            return 0

        return gemm


class Function:
    """A kernel of a module, which has to be compiled before it is launched."""

    def __init__(self, call: Callable[..., None], compile: Callable[[], None]) -> None:
        self.call, self.compile = call, compile

    def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
        self.call(grid, block, arguments)
