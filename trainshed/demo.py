"""The demonstration: handwritten digits through the whole stack, from JSON to predictions, over HTTP only."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from trainshed.client import Client, TrainshedError
from trainshed.client.types import GradientReport, Job, JsonValue, Spec
from trainshed.gradient_table import format_moment, format_verdict
from trainshed.stack import ChildDied, NotReady, Stack

TARGET_ACCURACY = 0.96

SPEC: Spec = {
    "name": "digits-demo",
    "data": {"train": "digits", "target": "label"},
    "layers": [
        {"type": "dense", "units": 128},
        {"type": "batch_norm"},
        {"type": "relu"},
        {"type": "dropout", "keep_prob": 0.8},
        {"type": "dense", "units": 64},
        {"type": "batch_norm"},
        {"type": "relu"},
        {"type": "dropout", "keep_prob": 0.8},
    ],
    "optimizer": {"type": "adam", "learning_rate": 0.003},
    "training": {"epochs": 30, "batch_size": 64},
    "checks": {"gradients": ["start", "end"]},
}


def run(console: Console | None = None) -> int:
    """Start the stack, train, report, stop; the exit status."""
    console = console or Console(highlight=False, soft_wrap=True)
    from worker.errors import WorkerError

    started = monotonic()
    try:
        with Stack() as stack, stack.client() as client:
            took = monotonic() - started
            console.print(f"The stack is up at {stack.url} after {took:.1f} s.")
            accuracy = show(client, console)
    except (ChildDied, NotReady) as error:
        console.print(f"The stack did not stay up: {error}", markup=False)
        console.print("`make doctor` says what this machine lacks.")
        return 1
    except (TrainshedError, WorkerError) as error:
        console.print(f"The demo failed: {error}", markup=False)
        console.print("`make doctor` says what this machine lacks.")
        return 1
    if not accuracy >= TARGET_ACCURACY:  # NaN is not, either
        console.print(f"Test accuracy {accuracy:.2%} is below {TARGET_ACCURACY:.0%}: the engine learns too little.")
        return 1
    console.print(f"Everything is stopped again; {monotonic() - started:.1f} s in all.")
    return 0


def show(client: Client, console: Console) -> float:
    """Submit the job, follow it, and print what came out; the accuracy on the test set."""
    job = client.jobs.submit(SPEC)
    console.print(f"Submitted {job['id']}: two hidden layers with batch norm and dropout on the 8×8 digits.")
    with _display(console, job["epochs"]) as display:
        for event in client.jobs.stream(job["id"]):
            row = event["data"].get("metrics")
            if event["type"] == "epoch" and isinstance(row, dict):
                display.show(row)
    job = client.jobs.wait(job["id"])
    print_result(console, job)
    checks = client.gradient_checks.list(job["id"])
    print_gradient_checks(console, [check["report"] for check in checks if check["report"] is not None])
    print_predictions(console, client, job["id"])
    return _read_measurements(job, "test")["accuracy"]


@contextmanager
def _display(console: Console, epochs: int) -> "Iterator[Bar | Lines]":
    """A live bar in a terminal, plain lines elsewhere."""
    if not console.is_terminal:
        yield Lines(console, epochs)
        return
    with Progress(
        TextColumn("epoch"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("{task.fields[costs]}"),
        TimeElapsedColumn(),
        console=console,
    ) as progress:
        yield Bar(progress, progress.add_task("", total=epochs, costs="waiting for the worker"))


class Bar:
    """A bar that grows by the epoch, with the costs beside it."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self.progress = progress
        self.task = task

    def show(self, row: Mapping[str, JsonValue]) -> None:
        self.progress.update(self.task, completed=_read_number(row, "epoch"), costs=_format_costs(row))


class Lines:
    """A line for each epoch that is announced: where they are short, not every one is."""

    def __init__(self, console: Console, epochs: int) -> None:
        self.console = console
        self.epochs = epochs

    def show(self, row: Mapping[str, JsonValue]) -> None:
        self.console.print(f"epoch {row['epoch']:>3}/{self.epochs}  {_format_costs(row)}")


def print_result(console: Console, job: Job) -> None:
    """Cost and accuracy of the kept model on each part."""
    table = Table("part", Column("cost", justify="right"), Column("accuracy", justify="right"))
    for part in ("train", "dev", "test"):
        measured = _read_measurements(job, part)
        table.add_row(part, f"{measured['cost']:.4f}", f"{measured['accuracy']:.2%}")
    console.print(table)


def print_gradient_checks(console: Console, reports: list[GradientReport]) -> None:
    """One row per tensor: how far backpropagation is from finite differences, at each moment."""
    table = Table("gradient check", *(format_moment(report) for report in reports))
    if reports:
        checks = [{check["name"]: check for check in report["tensors"]} for report in reports]
        for name in checks[0]:
            table.add_row(name, *(format_verdict(by_name[name]) for by_name in checks))
        table.add_section()
        table.add_row("all", *(format_verdict(report) for report in reports))
    console.print(table)


def print_predictions(console: Console, client: Client, job_id: str) -> None:
    """The first ten images of the set: what they are, and what the model says."""
    rows = client.datasets.preview("digits", limit=10)["rows"]
    predictions = client.jobs.predict(job_id, [{"pixels": row["pixels"]} for row in rows])
    table = Table("image", "truth", "prediction", "probability")
    for index, (row, said) in enumerate(zip(rows, predictions, strict=True)):
        sure = max(said["probabilities"].values())
        table.add_row(str(index), str(row["label"]), str(said["label"]), f"{sure:.3f}")
    console.print(table)


def _format_costs(row: Mapping[str, JsonValue]) -> str:
    return f"train cost {_read_number(row, 'train_cost'):.4f}  dev cost {_read_number(row, 'dev_cost'):.4f}"


def _read_number(row: Mapping[str, JsonValue], name: str) -> float:
    """NaN for what is missing or null."""
    value = row.get(name)
    return float(value) if isinstance(value, int | float) else math.nan


def _read_measurements(job: Job, part: str) -> dict[str, float]:
    """The numbers of one part in a job's result."""
    measured = (job["result"] or {}).get(part)
    numbers = measured if isinstance(measured, dict) else {}
    return {name: _read_number(numbers, name) for name in ("cost", "accuracy")}
