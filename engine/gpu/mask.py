"""Dropout on the device, with the very masks that the CPU draws: Philox 4x64 with ten rounds (Salmon et al. 2011).

The numbers are a function of seed, layer, step and place, so each thread makes those of its own places.
"""

import numpy as np

from engine.gpu.batch import STEP
from engine.gpu.kernel import Array, Launch, functions, kernel, per_element
from engine.kernels.mask import MULTIPLIER_0, MULTIPLIER_1, ROUNDS, WEYL_0, WEYL_1, threshold

__all__ = ["drop", "drop_back", "threshold"]

functions(
    f"""
// The four words of block `number`, counted from 0, of a step.
__device__ void philox(word number, word step, word key_0, word key_1, word* out) {{
    word c0 = number + 1, c1 = step, c2 = 0, c3 = 0;
    for (int round = 0; round < {ROUNDS}; round++) {{
        const word low_0 = {MULTIPLIER_0:#x}ull * c0, high_0 = __umul64hi({MULTIPLIER_0:#x}ull, c0);
        const word low_1 = {MULTIPLIER_1:#x}ull * c2, high_1 = __umul64hi({MULTIPLIER_1:#x}ull, c2);
        c0 = high_1 ^ c1 ^ key_0;
        c1 = low_1;
        c2 = high_0 ^ c3 ^ key_1;
        c3 = low_0;
        key_0 += {WEYL_0:#x}ull;
        key_1 += {WEYL_1:#x}ull;
    }}
    out[0] = c0; out[1] = c1; out[2] = c2; out[3] = c3;
}}

#define PER_BLOCK (sizeof(real) == 4 ? 8 : 4)
"""
)


def blocks(height: int, width: int) -> Launch:
    """A thread for every block of random numbers, of which float32 draws eight and float64 four."""
    return per_element(-(-height * width // 4), 1)


@kernel(
    blocks,
    "A",
    """
    (const real* A_prev, real* A, unsigned char* D, whole limit, double keep_prob, whole key_0, whole key_1,
     const whole* clock, whole height, whole width) {
        const whole number = (whole)blockIdx.x * blockDim.x + threadIdx.x, first = number * PER_BLOCK;
        if (first >= height * width) return;
        word words[4];
        philox(number, clock[2], key_0, key_1, words);
        const real times = 1 / real(keep_prob);
        for (int n = 0; n < PER_BLOCK && first + n < height * width; n++) {
            const word drawn = PER_BLOCK == 8 ? (words[n >> 1] >> (32 * (n & 1)) & 0xffffffffull) >> 8 : words[n] >> 11;
            const bool on = drawn < (word)limit;
            D[first + n] = on;
            A[first + n] = on ? A_prev[first + n] * times : 0;
        }
    }
    """,
)
def drop(A_prev: Array, A: Array, D: Array, limit: int, keep_prob: float, key_0: int, key_1: int, clock: Array) -> None:
    """D = (rand < keep_prob) with the numbers of this layer and step, and A = A_prev·D/keep_prob; A may be A_prev."""
    key = np.array([key_0, key_1], np.int64).view(np.uint64)
    drawn = np.random.Generator(np.random.Philox(key=key, counter=[0, int(clock[STEP]), 0, 0]))
    D[:] = drawn.random(A.shape, A.dtype.type) * 2.0 ** (24 if A.dtype == np.float32 else 53) < limit
    np.multiply(A_prev, D.astype(bool), out=A)
    A /= A.dtype.type(keep_prob)


@kernel(
    per_element,
    "dA",
    """
    (real* dA, const unsigned char* D, double keep_prob, whole height, whole width) {
        ELEMENT
        dA[e] = D[e] ? dA[e] * (1 / real(keep_prob)) : 0;
    }
    """,
)
def drop_back(dA: Array, D: Array, keep_prob: float) -> None:
    """dA ← dA·D/keep_prob."""
    dA *= D.astype(bool)
    dA /= dA.dtype.type(keep_prob)
