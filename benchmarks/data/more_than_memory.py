"""Examples a second from a file of 4 GB under an address space of 1 GB, against the same rows held in memory.

    python benchmarks/data/more_than_memory.py [--bytes 4e9] [--dtype float32] [--inputs 784] [--units 256 …]

One process trains under RLIMIT_AS, one with everything in memory, some seconds each in turn, so that both meet the
same load of the machine; each counts its own seconds only. Before the first epoch the file is dropped from the page
cache, so that this one is read from disk, the others from whatever the system cached. Needs free
memory of twice the file (five times for uint8) and as much disk as the file.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
TURN_SECONDS = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bytes", type=float, default=4e9)
    parser.add_argument("--limit", type=float, default=1e9)
    parser.add_argument("--dtype", choices=["float32", "uint8"], default="float32")
    parser.add_argument("--inputs", type=int, default=784)
    parser.add_argument("--units", type=int, nargs="+", default=[256], help="of every hidden layer")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--child", choices=["write", "memory", "file"])
    parser.add_argument("--path", type=Path)
    wanted = parser.parse_args()
    if wanted.child == "write":
        write(wanted)
    elif wanted.child:
        train(wanted)
    else:
        compare(str(wanted.threads))


def compare(threads: str) -> None:
    """Run the three processes and print the figures."""
    environment = os.environ | dict.fromkeys(THREADS, threads) | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with tempfile.TemporaryDirectory(prefix="trainshed-benchmark-") as folder:
        arguments = [sys.executable, __file__, *sys.argv[1:], "--path", str(Path(folder) / "rows.safetensors")]

        def child(name: str) -> subprocess.Popen[str]:
            command = [*arguments, "--child", name]
            return subprocess.Popen(command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

        writer = child("write")
        print("write", writer.communicate()[0].strip(), flush=True)
        found: dict[str, dict[str, list[float]]] = {}
        running = {name: child(name) for name in ("file", "memory")}
        try:
            while running:
                for name, process in list(running.items()):
                    answer = turn(process)
                    if answer != "turn":
                        print(name, answer, flush=True)
                        found[name] = json.loads(answer)
                        del running[name]
        finally:
            for process in running.values():
                process.kill()
    rates = zip(found["file"]["examples_per_second"], found["memory"]["examples_per_second"], strict=True)
    for epoch, (file, memory) in enumerate(rates, start=1):
        print(f"epoch {epoch}, {'cached' if epoch > 1 else 'from disk'}: {file / memory:.2f} of the rate in memory")


def turn(process: subprocess.Popen[str]) -> str:
    """Let a child work until it says "turn", or what it found."""
    if process.stdin is None or process.stdout is None:
        raise AssertionError("children are made with pipes")
    process.stdin.write("go\n")
    process.stdin.flush()
    answer = process.stdout.readline().strip()
    if not answer:
        raise RuntimeError(f"the child ended with {process.wait()}")
    return answer


def write(wanted: argparse.Namespace) -> None:
    """A dataset of random rows, whose class is the largest of their first ten numbers."""
    import numpy as np

    from engine.data.column_types import NumberType, TensorType
    from engine.data.formats.incoming import Block, Incoming
    from engine.data.storage.stored import store

    dtype = np.dtype(wanted.dtype)
    rows = int(wanted.bytes / (wanted.inputs * dtype.itemsize))

    def blocks() -> Iterator[Block]:
        generator = np.random.default_rng(0)
        for start in range(0, rows, 4096):
            m = min(4096, rows - start)
            if dtype.kind == "f":
                x = generator.standard_normal((m, wanted.inputs), np.float32)
            else:
                x = generator.integers(0, 256, (m, wanted.inputs), np.uint8)
            yield {"x": x, "label": x[:, :10].argmax(axis=1)}

    shapes: dict[str, tuple[int, ...]] = {"x": (wanted.inputs,), "label": ()}
    dtypes = {"x": dtype, "label": np.dtype(np.int64)}
    began = time.perf_counter()
    store(wanted.path, {"train": Incoming(rows, {"x": TensorType(), "label": NumberType()}, dtypes, shapes, blocks)})
    seconds = time.perf_counter() - began
    with wanted.path.open("rb") as file:
        os.fsync(file.fileno())
    print(json.dumps({"rows": rows, "bytes": wanted.path.stat().st_size, "seconds": round(seconds, 1)}))


def train(wanted: argparse.Namespace) -> None:
    """Two epochs, and what they took."""
    if wanted.child == "file":
        resource.setrlimit(resource.RLIMIT_AS, (int(wanted.limit), int(wanted.limit)))
    from engine import DataHeld, Dataset, EpochEnded, JobSpec, Network, Progressed, Started, prepare
    from engine import train as events

    spec = JobSpec.model_validate(
        {
            "data": {"train": "rows", "target": "label"},
            "layers": [layer for n in wanted.units for layer in ({"type": "dense", "units": n}, {"type": "relu"})],
            "training": {"epochs": wanted.epochs, "batch_size": wanted.batch},
            "checks": {"gradients": []},
        }
    )
    sys.stdin.readline()
    memory = 128 << 20 if wanted.child == "file" else None
    began = time.perf_counter()
    data = prepare(spec.data, {"rows": Dataset.load(wanted.path)}, dtype=spec.precision, memory_bytes=memory)
    answer: dict[str, object] = {"prepared_seconds": round(time.perf_counter() - began, 1)}
    rates: list[int] = []
    seconds, since = 0.0, time.perf_counter()
    for event in events(Network.of(spec, data.preprocessor), spec, data):
        match event:
            case Started():
                with wanted.path.open("rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            case DataHeld():
                answer["held"] = event.to_json()
                seconds, since = 0.0, time.perf_counter()
            case Progressed() if time.perf_counter() - since > TURN_SECONDS:
                seconds += time.perf_counter() - since
                print("turn", flush=True)
                sys.stdin.readline()
                since = time.perf_counter()
            case EpochEnded(row=row):
                seconds += time.perf_counter() - since
                rates.append(round(data.holding.rows / seconds))
                seconds, since = 0.0, time.perf_counter()
                answer["train_accuracy"] = round(float(row["train_accuracy"] or 0), 4)
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    answer |= {"examples_per_second": rates}
    answer |= {"resident_peak": status["VmHWM"].strip(), "address_space_peak": status["VmPeak"].strip()}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
