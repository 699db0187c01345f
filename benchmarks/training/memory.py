"""What training takes beside its data: at most θ × (2 + slots) and two batches of activations, and nothing in a step.

`python -m benchmarks.training.memory SHAPE` measures one network in a process of its own (Linux: the peak is asked of
the kernel). What any run needs, whatever its network, is there before the measurement begins: machine code, and the
memory in which the BLAS lays out what it multiplies.
"""

import gc
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.training.contestants import epochs_of, job, run_of
from benchmarks.training.shapes import RATE, SHAPES, Shape

MB = 1e6
ADAM_SLOTS = 2
FLOAT = 4


def memory(shapes: Sequence[str]) -> None:
    print("\n## Memory: peak of two epochs above what was there before, MB\n")
    print("| hidden, batch | data | θ × 4 + two batches | measured | ÷ allowed, with data | 100 steps allocate, KB |")
    print("|---" * 6 + "|")
    for name in shapes:
        told = subprocess.run(
            [sys.executable, "-m", "benchmarks.training.memory", name], stdout=subprocess.PIPE, text=True, check=True
        )
        data, allowed, grown, allocated = json.loads(told.stdout)
        cells = [f"{data / MB:.1f}", f"{allowed / MB:.1f}", f"{grown / MB:.1f}"]
        cells += [f"{(data + grown) / (data + allowed):.2f}", f"{allocated / 1e3:.1f}"]
        print(f"| {SHAPES[name]} |", " | ".join(cells), "|", flush=True)


def resident(line: str) -> int:
    """Bytes, as the kernel counts them: VmRSS now, VmHWM at most so far."""
    status = Path("/proc/self/status").read_text()
    return next(int(row.split()[1]) for row in status.splitlines() if row.startswith(line)) * 1024


def forget_the_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def measured(shape: Shape) -> tuple[int, int, int, int]:
    """Bytes of the data, what the formula allows, the growth of the peak, and what 100 steps allocate."""
    from engine.kernels import warm

    warm(["float32"])
    epochs_of(run_of(*job(Shape((16,), shape.batch, 4 * shape.batch))))()
    np.matmul(np.ones((1024, 1024), np.float32), np.ones((1024, 1024), np.float32))
    spec, data = job(shape)
    gc.collect()
    before = resident("VmRSS")
    forget_the_peak()
    run = run_of(spec, data)
    epoch = epochs_of(run)
    epoch()
    epoch()
    grown = resident("VmHWM") - before
    theta = run.parameters.theta.nbytes
    activations = shape.batch * sum(shape.widths) * FLOAT
    allowed = theta * (2 + ADAM_SLOTS) + 2 * activations
    return data.x["train"].nbytes, allowed, grown, allocated_by_steps(run, 100)


def allocated_by_steps(run: "object", count: int) -> int:
    """The most that is allocated at a time while steps are taken, buffers having been made before."""
    from engine.training import Run

    assert isinstance(run, Run)
    size, sums = run.batch_size, np.zeros(8)
    portion = next(iter(run.portions(3))).part(0, size)

    def steps(number: int) -> None:
        for _ in range(number):
            run.step += 1
            for _ in run.descent.run(portion, size, lambda t: RATE, run.step, sums):
                pass

    tracemalloc.start()
    steps(10)
    gc.collect()
    tracemalloc.reset_peak()
    resting, _ = tracemalloc.get_traced_memory()
    steps(count)
    return tracemalloc.get_traced_memory()[1] - resting


if __name__ == "__main__":
    print(json.dumps(measured(SHAPES[sys.argv[1]])))
