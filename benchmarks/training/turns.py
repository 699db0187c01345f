"""Processes that take turns, so that a busy machine is unfair to none of them."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from math import ceil
from pathlib import Path
from statistics import fmean, median
from time import sleep
from types import MappingProxyType
from typing import TextIO, cast

from benchmarks.training.shapes import Shape

FORCED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # name another processor than there is, and halve the BLAS
TURN_SECONDS, REPEATS = 0.4, 5  # what the quickest should take at least, but nobody more often than so
REST_SECONDS = 0.3  # after which the threads of the one before no longer spin
OURS = ("engine", "engine-mkl", "floor")  # all others run in the peers' environment
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Contestant:
    """A process that does its work once for every line it reads, and answers with what that took.

    Its first line is what it has to say of itself. `seconds` are on the clock, `processor` those of its own threads.
    """

    def __init__(self, command: list[str], threads: int, extra: Mapping[str, str] = MappingProxyType({})) -> None:
        environment = {key: value for key, value in os.environ.items() if key not in FORCED} | extra
        environment |= dict.fromkeys(THREADS, str(threads))
        if threads == 1:
            environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
        self.command = command
        self.process = subprocess.Popen(
            command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.orders, self.answers = cast(TextIO, self.process.stdin), cast(TextIO, self.process.stdout)
        self.seconds: list[float] = []
        self.processor: list[float] = []
        self.about = self.read()

    def read(self) -> object:
        line = self.answers.readline()
        if not line:
            raise SystemExit(f"ended with code {self.process.wait()}: {' '.join(self.command)}")
        return json.loads(line)

    def turn(self, repeats: int = 1) -> None:
        """Work so many times in a row, and note what one took on average."""
        sleep(REST_SECONDS)
        took = [self.work() for _ in range(repeats)]
        self.seconds.append(fmean(seconds for seconds, _ in took))
        self.processor.append(fmean(processor for _, processor in took))

    def work(self) -> list[float]:
        self.orders.write("\n")
        self.orders.flush()
        return cast(list[float], self.read())

    def times(self, clock: str) -> list[float]:
        return self.processor if clock == "processor" else self.seconds

    def end(self) -> None:
        self.process.communicate()


def take_turns(contestants: list[Contestant], rounds: int) -> None:
    """Every contestant once a round, as often in a row as the quickest needs for a turn; then all are sent home."""
    quickest = min(contestant.work()[0] for contestant in contestants)
    repeats = min(REPEATS, ceil(TURN_SECONDS / quickest))
    for _ in range(rounds):
        for contestant in contestants:
            contestant.turn(repeats)
    for contestant in contestants:
        contestant.end()


def ratio(one: list[float], other: list[float]) -> float:
    """The median over the rounds of one's time over the other's: both saw the same machine in a round."""
    return median(a / b for a, b in zip(one, other, strict=True))


def trainer(
    name: str, shape: Shape, threads: int, regularized: bool = False, peers: str = sys.executable
) -> Contestant:
    """A contestant that trains an epoch at a time; those that are not ours run in the peers' environment."""
    python = sys.executable if name in OURS else peers
    hidden = "-".join(map(str, shape.hidden))
    command = [python, "-m", "benchmarks.training.contestants", name, hidden, str(shape.batch), str(shape.examples)]
    mkl = {"MKL": str(mkl_beside(peers))} if name == "engine-mkl" else {}
    return Contestant([*command, str(threads), *["regularized"] * regularized], threads, mkl)


def mkl_beside(python: str) -> Path:
    """The MKL that is installed in this interpreter's environment."""
    return next((Path(python).parent.parent / "lib").glob("libmkl_rt.*"))
