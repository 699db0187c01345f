"""`make bench`, or `python -m benchmarks.training`: the engine beside its peers, part by part, all taking turns.

Peers run in the environment of --peers: JAX, PyTorch, scikit-learn and OpenCV are there so that none of them decides
what the product is installed with.
"""

import argparse
import os
import platform
import subprocess
import sys

from benchmarks.training.epochs import NAMES, epochs
from benchmarks.training.everything_on import everything_on
from benchmarks.training.memory import memory
from benchmarks.training.shapes import SHAPES
from benchmarks.training.slopes import slopes
from benchmarks.training.turns import FORCED

PARTS = ("epochs", "regularized", "everything", "memory", "slopes", "augmentation")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--peers", default=sys.executable, help="the interpreter of an environment with the peers")
    parser.add_argument("--parts", nargs="*", default=list(PARTS), choices=PARTS, help="those to run")
    parser.add_argument("--shapes", nargs="*", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--threads", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--with", dest="names", nargs="*", default=list(NAMES), choices=NAMES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clock", default="wall", choices=("wall", "processor"), help="which seconds are compared: "
                        "those on the clock, or a contestant's own, which a busy machine changes less")  # fmt: skip
    wanted = parser.parse_args()
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}")
    print(f"{wanted.clock} seconds, median of {wanted.rounds} rounds in turn; a ratio is the median of the rounds'")
    print("unset for the contestants:", ", ".join(f"{name}={os.environ.get(name, '(not set)')}" for name in FORCED))
    for part in wanted.parts:
        if part in ("epochs", "regularized"):
            epochs(wanted.shapes, wanted.threads, wanted.names, wanted.rounds, wanted.peers, wanted.clock,
                   regularized=part == "regularized")  # fmt: skip
        elif part == "everything":
            everything_on(wanted.shapes, wanted.threads, wanted.rounds, wanted.clock)
        elif part == "memory":
            memory(wanted.shapes)
        elif part == "slopes":
            slopes(wanted.threads, wanted.rounds, wanted.clock)
        else:
            print("\n## Augmented images a second, one thread\n", flush=True)
            subprocess.run([sys.executable, "-m", "benchmarks.data.augmentation", "--peers", wanted.peers], check=True)
    print(f"\nload {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
