"""A job as a worker runs it, against the bare loop of its steps.

The job judges every epoch on its dev set, measures the layers, watches for an early stop, keeps the best parameters,
and saves rows, events and checkpoints to a store (SQLite in a folder of its own). The bare loop takes the same steps on
the same training rows and does nothing else: no metric, no dev set, no event. Both train some epochs a turn. What a job
does once (reading its data, the last measurement, saving the model) is left out.

`python -m benchmarks.training.everything_on job|bare HIDDEN BATCH DEV_SHARE THREADS EPOCHS` is one of the two.
"""

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import numpy as np

from benchmarks.training.contestants import answer_orders, document, epochs_of, run_of
from benchmarks.training.shapes import EXAMPLES, SHAPES, Shape, examples
from benchmarks.training.turns import Contestant, ratio, take_turns

SHARES = {"20 % of the rows": 0.2, "5 of 95, as advised for so many": 5 / 95}
SHOWN = ("128", "512-512")  # of the shapes
SECONDS = 1.0  # a turn, about: some batches of events and rows are stored in it


def everything_on(shapes: Sequence[str], threads: Sequence[int], rounds: int, clock: str) -> None:
    print("\n## Everything on: a job in a worker ÷ the bare loop of its steps on the same 12 800 training rows\n")
    print("| hidden, batch | threads | dev set | bare, seconds an epoch | job | job ÷ bare |")
    print("|---" * 6 + "|")
    for shape in (SHAPES[name] for name in shapes if name in SHOWN):
        for count in threads:
            for title, share in SHARES.items():
                epochs = max(2, round(SECONDS * 4e10 * count / shape.multiplications))
                words = ["-".join(map(str, shape.hidden)), str(shape.batch), str(share), str(count), str(epochs)]
                both = [
                    Contestant([sys.executable, "-m", "benchmarks.training.everything_on", one, *words], count)
                    for one in ("job", "bare")
                ]
                take_turns(both, rounds)
                job, bare = ([seconds / epochs for seconds in one.times(clock)] for one in both)
                cells = [f"{median(bare):.4f}", f"{median(job):.4f}", f"{ratio(job, bare):.3f}"]
                print(f"| {shape} | {count} | {title} |", " | ".join(cells), "|", flush=True)


def rows(share: float) -> tuple[np.ndarray, np.ndarray]:
    """As many that the split leaves the usual number to train on."""
    return examples(round(EXAMPLES / (1 - share)))


def document_with_dev(shape: Shape, share: float) -> dict[str, object]:
    split = {"type": "fractions", "train": 1 - share, "dev": share, "test": 0, "stratify": False}
    wanted = document(shape, epochs=1000, early_stopping={"metric": "dev_cost", "patience": 1000})
    return wanted | {"data": {"train": "made", "target": "label", "split": split}}


def bare(shape: Shape, share: float, epochs: int) -> None:
    from engine import Dataset, JobSpec, Table, prepare

    x, y = rows(share)
    spec = JobSpec.model_validate(document_with_dev(shape, share))
    made = {"made": Dataset({"all": Table({"x": x, "label": y})})}
    epoch = epochs_of(run_of(spec, prepare(spec.data, made, dtype="float32")))

    def turn() -> None:
        for _ in range(epochs):
            epoch()

    turn()
    answer_orders(turn, None)


def job(shape: Shape, share: float, epochs: int) -> None:
    """Train as a worker's process does, pausing after some epochs until the next order comes."""
    from engine import EpochEnded, Event, JobSpec
    from worker.backend import open_backend
    from worker.domain.ids import new_id
    from worker.domain.principals import LOCAL
    from worker.process.logs import configure_logs
    from worker.queue.broker import open_broker
    from worker.queue.notifier import Notifier
    from worker.settings import Settings
    from worker.storage.artifacts import Artifacts
    from worker.store import open_store
    from worker.work.context import Context
    from worker.work.kinds import attempt_at
    from worker.work.train import Train

    class Turns(Train):
        """Waits for an order after every so many epochs; the first turn is for warming up."""

        began = before = 0.0

        def _take(self, event: Event, context: Context) -> None:
            super()._take(event, context)
            if not isinstance(event, EpochEnded) or int(event.row["epoch"] or 0) % epochs:
                return
            took = perf_counter() - self.began, process_time() - self.before
            print(json.dumps(took if self.began else None), flush=True)  # the first turn answers no order
            if not sys.stdin.readline():
                raise SystemExit
            self.began, self.before = perf_counter(), process_time()

    x, y = rows(share)
    configure_logs("error")  # to stderr
    with tempfile.TemporaryDirectory(prefix="bench-training-") as folder:
        settings = Settings.model_validate({"data_dir": Path(folder)})
        with open_broker(settings) as broker, open_backend(settings, broker) as opened:
            backend = opened.on_behalf_of(LOCAL)
            file = BytesIO()
            np.savez(file, x=x, y=y)
            with backend.receive() as upload:
                upload.write(file.getvalue())
                backend.datasets.add("made", "application/x-npz", upload)
            submitted = backend.jobs.submit(JobSpec.model_validate(document_with_dev(shape, share)))
            store = open_store(settings)
            claim = store.work_items.claim(submitted.id, new_id("worker"))
            assert claim is not None
            means = settings, store, Artifacts(settings.data_dir), Notifier(broker)
            attempt_at(claim, *means, draining=lambda: False, kinds={Turns.name: Turns}).run()


if __name__ == "__main__":
    which, hidden, batch, share, threads, epochs = sys.argv[1:]
    if threads == "1":
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    network = Shape(tuple(int(units) for units in hidden.split("-")), int(batch))
    {"job": job, "bare": bare}[which](network, float(share), int(epochs))
