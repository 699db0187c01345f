"""`python -m benchmarks.training`: one table of all contestants, taking turns; the median of some epochs each."""

import argparse
import json
import os
import platform
import subprocess
import sys
from statistics import median
from time import sleep
from typing import TextIO, cast

from benchmarks.training.contestants import CONTESTANTS
from benchmarks.training.shapes import SHAPES

FORCED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # name another processor than there is, and halve the BLAS
REST_SECONDS = 0.3  # after which the threads of the one before no longer spin
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Contestant:
    """A process that trains an epoch when it is told to."""

    def __init__(self, name: str, shape: str, threads: int, regularized: bool) -> None:
        environment = {key: value for key, value in os.environ.items() if key not in FORCED}
        environment |= dict.fromkeys(THREADS, str(threads))
        if threads == 1:
            environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
        command = [sys.executable, "-m", "benchmarks.training.contestants", name, shape, str(threads)]
        self.process = subprocess.Popen(
            command + ["regularized"] * regularized, env=environment, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.orders, self.answers = cast(TextIO, self.process.stdin), cast(TextIO, self.process.stdout)
        self.seconds: list[float] = []
        self.memory = 0
        self.blas = json.loads(self.read())

    def read(self) -> str:
        return self.answers.readline() or "null"

    def turn(self) -> None:
        sleep(REST_SECONDS)
        self.orders.write("\n")
        self.orders.flush()
        seconds, self.memory = json.loads(self.read())
        self.seconds.append(seconds)

    def end(self) -> None:
        self.process.communicate()


def compare(shape: str, threads: int, names: list[str], rounds: int, regularized: bool) -> dict[str, Contestant]:
    entered = {name: Contestant(name, shape, threads, regularized) for name in names}
    for _ in range(rounds):
        for contestant in entered.values():
            contestant.turn()
    for contestant in entered.values():
        contestant.end()
    return entered


def ratio(entered: dict[str, Contestant], other: str) -> str:
    """The engine's time over another's: the median of the rounds, each of which saw the same machine."""
    if other not in entered or "engine" not in entered:
        return "-"
    pairs = zip(entered["engine"].seconds, entered[other].seconds, strict=True)
    return f"{median(a / b for a, b in pairs):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.training", description=__doc__)
    parser.add_argument("--shapes", nargs="*", default=list(SHAPES))
    parser.add_argument("--threads", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--with", dest="names", nargs="*", default=list(CONTESTANTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only-regularized", action="store_true")
    parser.add_argument("--only-plain", action="store_true")
    wanted = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} processors, Python {sys.version.split()[0]}")
    print("unset for the contestants:", ", ".join(f"{name}={os.environ.get(name, '(not set)')}" for name in FORCED))
    print("Seconds an epoch of 12 800 × 784, median of", wanted.rounds, "taken in turns; the engine's share of each.\n")
    print("| hidden, batch | threads |", " | ".join(wanted.names), "| ÷ floor | ÷ JAX | ÷ PyTorch | ÷ sklearn | MB |")
    print("|---" * (len(wanted.names) + 7) + "|")
    blas: dict[str, object] = {}
    for regularized in [False, True][wanted.only_regularized : 2 - wanted.only_plain]:
        names = [name for name in wanted.names if not (regularized and name in ("sklearn", "floor"))]
        for shape in wanted.shapes:
            for threads in wanted.threads:
                entered = compare(shape, threads, names, wanted.rounds, regularized)
                blas |= {f"{name} × {threads}": contestant.blas for name, contestant in entered.items()}
                cells = [f"{median(entered[n].seconds):.4f}" if n in entered else "-" for n in wanted.names]
                shares = [ratio(entered, other) for other in ("floor", "jax", "torch", "sklearn")]
                title = f"{SHAPES[shape]}{' + batch norm, dropout' if regularized else ''}"
                memory = f"{entered['engine'].memory / 1024:.0f}" if "engine" in entered else "-"
                print(f"| {title} | {threads} |", " | ".join([*cells, *shares, memory]), "|", flush=True)
    print()
    for name, libraries in blas.items():
        print(f"{name}: {libraries}")


if __name__ == "__main__":
    main()
