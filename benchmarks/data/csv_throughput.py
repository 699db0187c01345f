"""Megabytes of CSV a second, from an uploaded file to the dataset that is stored of it.

    python benchmarks/data/csv_throughput.py [--bytes 2e8]

Tables of different make: numbers written short and in full, integers, and the columns of a census with words and
missing values. The rate is that of reading, inferring types and writing, with the CSV in the page cache; the second one
is per second of processor time, which other programs on the machine disturb less.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine.data import CsvFormat, Dataset, ReadLimits
from engine.data.formats.csv.csv_rows import COMPILER
from engine.data.storage.stored import store

ROWS = 20_000  # of text made once and repeated


def short(generator: np.random.Generator) -> list[list[str]]:
    return [[f"{v:.4g}" for v in row] for row in generator.standard_normal((ROWS, 30))]


def full(generator: np.random.Generator) -> list[list[str]]:
    return [[repr(float(v)) for v in row] for row in generator.standard_normal((ROWS, 20))]


def pixels(generator: np.random.Generator) -> list[list[str]]:
    return [[str(v) for v in row] for row in generator.integers(0, 256, (ROWS // 10, 785))]


def census(generator: np.random.Generator) -> list[list[str]]:
    words = [f"Some-word-{number}" for number in range(40)]
    return [
        [
            str(generator.integers(17, 90)),
            words[generator.integers(40)],
            str(generator.integers(10_000, 900_000)),
            "?" if generator.random() < 0.05 else words[generator.integers(16)],
            words[generator.integers(7)],
            str(generator.integers(0, 99)),
            "Male" if generator.random() < 0.5 else "Female",
        ]
        for _ in range(ROWS)
    ]


TABLES: dict[str, Callable[[np.random.Generator], list[list[str]]]] = {
    "numbers of 4 digits": short,
    "numbers in full": full,
    "pixels": pixels,
    "census": census,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bytes", type=float, default=2e8)
    size = int(parser.parse_args().bytes)
    limits = ReadLimits(max_expanded_bytes=1 << 40)
    COMPILER.scan(wait=True)
    for name, make in TABLES.items():
        with tempfile.TemporaryDirectory(prefix="trainshed-benchmark-") as folder:
            source, target = Path(folder) / "upload.csv", Path(folder) / "stored"
            rows = make(np.random.default_rng(0))
            body = "".join(",".join(row) + "\n" for row in rows).encode()
            with source.open("wb") as file:
                file.write((",".join(f"c{place}" for place in range(len(rows[0]))) + "\n").encode())
                while file.tell() < size:
                    file.write(body)
            began, begun = time.perf_counter(), time.process_time()
            store(target, CsvFormat().incoming(source, limits))
            seconds, processor = time.perf_counter() - began, time.process_time() - begun
            read, written = source.stat().st_size, target.stat().st_size
            rows_stored = Dataset.load(target).training.rows
            print(
                f"{name}: {read / 1e6 / seconds:.0f} MB/s, {read / 1e6 / processor:.0f} MB per processor second "
                f"({rows_stored} rows, {written / 1e6:.0f} MB stored)",
                flush=True,
            )


if __name__ == "__main__":
    main()
