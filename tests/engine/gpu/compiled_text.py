"""The CUDA text of the kernels as a C++ compiler has it: every thread of a block in turn, up to where they meet.

Slow, and good for one thing: the text itself is carried out where there is no GPU.
"""

import ctypes
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from engine.gpu.device import Processor
from engine.gpu.kernel import KERNELS, Kernel, source

COMPILER = shutil.which("g++")

BEFORE = """
#include <cmath>
#include <cstddef>
#include <functional>
#include <ucontext.h>
#include <vector>
using namespace std;
#define __global__
#define __device__ static
#define __shared__ static
struct Place { unsigned x, y, z; };
static Place blockIdx, threadIdx, blockDim, gridDim;
static unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)(((unsigned __int128)a * b) >> 64);
}

// Threads of a block are contexts that take turns: each runs until it waits for the others, or is done.
static const size_t STACK = 1 << 15;
static ucontext_t turns;
static vector<ucontext_t> contexts;
static vector<char> stacks;
static vector<bool> done;
static function<void()> body;
static size_t current;
static void __syncthreads() { swapcontext(&contexts[current], &turns); }
static void start() { body(); done[current] = true; }
static void launch(long gx, long bx, long by, bool meeting) {
    const size_t count = bx * by;
    contexts.resize(count); stacks.resize(count * STACK); done.resize(count);
    gridDim = {(unsigned)gx, 1, 1}; blockDim = {(unsigned)bx, (unsigned)by, 1};
    for (long block = 0; block < gx; block++) {
        blockIdx = {(unsigned)block, 0, 0};
        if (!meeting) {
            for (size_t n = 0; n < count; n++) {
                threadIdx = {(unsigned)(n % bx), (unsigned)(n / bx), 0};
                body();
            }
            continue;
        }
        for (size_t n = 0; n < count; n++) {
            getcontext(&contexts[n]);
            contexts[n].uc_stack.ss_sp = &stacks[n * STACK];
            contexts[n].uc_stack.ss_size = STACK;
            contexts[n].uc_link = &turns;
            done[n] = false;
            makecontext(&contexts[n], start, 0);
        }
        for (bool left = true; left;) {
            left = false;
            for (size_t n = 0; n < count; n++) {
                if (done[n]) continue;
                current = n;
                threadIdx = {(unsigned)(n % bx), (unsigned)(n / bx), 0};
                swapcontext(&turns, &contexts[n]);
                left |= !done[n];
            }
        }
    }
}
"""


def entrance(kernel: Kernel) -> str:
    """A function for Python to call, which launches the kernel."""
    parameters = re.match(r"\s*\((.*?)\)\s*\{", kernel.text, re.DOTALL).group(1)  # type: ignore[union-attr]
    names = ", ".join(re.findall(r"(\w+)\s*(?:,|$)", " ".join(parameters.split())))
    meeting = "true" if re.search(r"_of_block|_of_column|__syncthreads", kernel.text) else "false"
    return (
        f'extern "C" void launch_{kernel.name}(long gx, long bx, long by, {parameters}) {{\n'
        f"    body = [=] {{ {kernel.name}({names}); }};\n    launch(gx, bx, by, {meeting});\n}}\n"
    )


@cache
def library(precision: str) -> ctypes.CDLL:
    text = source(precision).replace('extern "C" __global__', "static")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "kernels.cpp"
        path.write_text(BEFORE + text + "\n".join(map(entrance, KERNELS)))
        made = path.with_suffix(".so")
        command = [str(COMPILER), "-std=c++17", "-O1", "-shared", "-fPIC", "-w", str(path), "-o", str(made)]
        subprocess.run(command, check=True)
        return ctypes.CDLL(str(made))


class CompiledText(Processor):
    """A stand-in whose kernels are the text that a GPU would compile."""

    name = "compiled text"

    def begin(self, dtype: np.dtype[np.floating], *, tf32: bool) -> None:
        super().begin(dtype, tf32=tf32)
        self.library = library(dtype.name)

    def launch(self, kernel: Kernel, *arguments: Any) -> None:
        self.launched += 1
        height, width = kernel.size(arguments)
        self.call(kernel.name, *kernel.threads(height, width), (*arguments, height, width))

    def call(self, name: str, grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
        """Launch a kernel with all that its text takes."""
        passed = [_argument(one) for one in (grid[0], *(*block, 1)[:2], *arguments)]
        getattr(self.library, f"launch_{name}")(*passed)


def _argument(one: Any) -> object:
    if one is None:
        return ctypes.c_void_p(None)
    if isinstance(one, np.ndarray):
        assert one.flags.c_contiguous
        return ctypes.c_void_p(one.ctypes.data)
    return ctypes.c_double(one) if isinstance(one, float) else ctypes.c_longlong(int(one))
