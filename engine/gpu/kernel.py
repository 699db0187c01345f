"""A kernel: the plain formula in NumPy, and the same in CUDA C++ with a thread for each of its numbers.

`@kernel(per_element, "A", text)` puts the text beside the formula. The text takes what the formula takes, an array as a
pointer (none as a null pointer), an int as `whole` and a float as `double`, and after that the height and the width
of the array that is named: by them the threads are counted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array: TypeAlias = NDArray[Any]
"""On the device, or NumPy's own where that stands in for one: both have a shape and views."""

THREADS = 256  # of a block; a power of two, as the sums of a block need it
LANES = 32  # threads side by side that read numbers side by side
HEIGHT = 16  # rows that a block looks at together when it adds up columns; a power of two
MOST_PARTS = 1024  # blocks that share a long vector

Launch: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]
"""Blocks, and the threads of each."""


def per_element(height: int, width: int) -> Launch:
    """A thread for each number."""
    return (-(-height * width // THREADS),), (THREADS,)


def per_row(height: int, width: int) -> Launch:
    """A block for each row."""
    return (height,), (LANES,)


def per_column(height: int, width: int) -> Launch:
    """A block for every few columns, which takes several rows at a time."""
    return (-(-width // LANES),), (LANES, HEIGHT)


def in_turns(height: int, width: int) -> Launch:
    """Blocks that take turns, so that no more than MOST_PARTS sums have to be added up afterwards."""
    return (parts(height * width),), (THREADS,)


def in_one_block(height: int, width: int) -> Launch:
    """One block, for what has to be known in one place."""
    return (1,), (THREADS,)


def parts(count: int) -> int:
    """How many blocks take turns at so many numbers."""
    return min(MOST_PARTS, -(-count // THREADS))


@dataclass(frozen=True)
class Kernel:
    """What may be enqueued on a device."""

    plain: Callable[..., None]
    text: str  # parameters and body in CUDA C++
    threads: Callable[[int, int], Launch]
    over: int  # which argument counts the threads

    @property
    def name(self) -> str:
        return self.plain.__name__

    def size(self, arguments: tuple[Any, ...]) -> tuple[int, int]:
        """The height and the width of the array that counts the threads; a vector is a column."""
        shape = arguments[self.over].shape
        return shape[0], shape[1] if len(shape) > 1 else 1


KERNELS: list[Kernel] = []


def kernel(threads: Callable[[int, int], Launch], over: str, text: str) -> Callable[[Callable[..., None]], Kernel]:
    """Put the CUDA text beside its formula."""

    def written(plain: Callable[..., None]) -> Kernel:
        made = Kernel(plain, text, threads, list(signature(plain).parameters).index(over))
        KERNELS.append(made)
        return made

    return written


PRELUDE = """
typedef long long whole;
typedef unsigned long long word;
typedef REAL real;

#define THREADS %(THREADS)d
#define LANES %(LANES)d
#define HEIGHT %(HEIGHT)d

// e is this thread's number of an array, in row i and column j.
#define ELEMENT                                                    \\
    const whole e = (whole)blockIdx.x * blockDim.x + threadIdx.x;  \\
    if (e >= height * width) return;                               \\
    const whole i = e / width, j = e %% width; (void)i; (void)j;

// Over this thread's rows of its column j.
#define COLUMN const whole j = (whole)blockIdx.x * LANES + threadIdx.x
#define EACH_ROW for (whole i = threadIdx.y; j < width && i < height; i += HEIGHT)

// The sum over a block's threads in a row, always in the same order; every thread gets it.
__device__ double sum_of_block(double mine) {
    __shared__ double part[THREADS];
    __syncthreads();
    part[threadIdx.x] = mine;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if ((int)threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
        __syncthreads();
    }
    return part[0];
}

// The largest of a block's numbers; every thread gets it. What is no number is the largest.
__device__ real largest_of_block(real mine) {
    __shared__ real part[THREADS];
    __syncthreads();
    part[threadIdx.x] = mine;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if ((int)threadIdx.x < half) {
            const real other = part[threadIdx.x + half];
            if (!(other <= part[threadIdx.x])) part[threadIdx.x] = other;
        }
        __syncthreads();
    }
    return part[0];
}

// The sum of a column over the rows of a block; every thread of the column gets it.
__device__ real sum_of_column(real mine) {
    __shared__ real part[HEIGHT][LANES];
    __syncthreads();
    part[threadIdx.y][threadIdx.x] = mine;
    __syncthreads();
    for (int half = HEIGHT / 2; half > 0; half /= 2) {
        if ((int)threadIdx.y < half) part[threadIdx.y][threadIdx.x] += part[threadIdx.y + half][threadIdx.x];
        __syncthreads();
    }
    return part[0][threadIdx.x];
}
"""


def source(dtype: DTypeLike) -> str:
    """All kernels in one text, for numbers of this kind."""
    real = "float" if np.dtype(dtype) == np.float32 else "double"
    sizes = {"THREADS": THREADS, "LANES": LANES, "HEIGHT": HEIGHT}
    texts = [f'extern "C" __global__ void {each.name}{each.text.strip()}\n' for each in KERNELS]
    return "\n".join([f"#define REAL {real}", PRELUDE % sizes, *dict.fromkeys(FUNCTIONS), *texts])


FUNCTIONS: list[str] = []


def functions(text: str) -> None:
    """Add device functions that kernels share."""
    FUNCTIONS.append(text)
