"""The command `trainyard`: it starts the service, and speaks to one over HTTP."""

import json
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from types import FrameType
from typing import Annotated, NoReturn

import typer
from pydantic import JsonValue
from rich.console import Console

from trainyard.client import DEFAULT_URL, Client, JobFailed, TrainyardError
from trainyard.documents import Event

app = typer.Typer(
    help="Train deep networks by sending JSON.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback is for whoever reports it: as Python prints it
    context_settings={"help_option_names": ["-h", "--help"]},
)

Url = Annotated[str, typer.Option("--url", envvar="TRAINYARD_URL", help="Where the service answers.")]
JobId = Annotated[str, typer.Argument(help="The job's id, as `submit` printed it.")]
JsonFile = Annotated[typer.FileText, typer.Argument(help="A JSON file, or - for the standard input.")]


# starting the service


@app.command()
def demo() -> None:
    """Train a network on handwritten digits through the whole stack, then stop it."""
    from trainyard.demo import run

    _end_on_sigterm()
    raise typer.Exit(run())


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; TRAINYARD_HOST otherwise.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
) -> None:
    """Start Redis, a worker and the API, and keep them up until Ctrl-C."""
    from trainyard.stack import ChildDied, NotReady, Stack
    from worker.errors import WorkerError
    from worker.settings import Settings

    settings = Settings()
    _end_on_sigterm()
    stack = Stack(
        settings.data_dir,
        host=settings.host if host is None else host,
        port=settings.port if port is None else port,
    )
    try:
        with stack:
            print(f"API        {stack.url}/v1/jobs")
            print(f"docs       {stack.url}/docs")
            print(f"transport  {stack.transport.kind} ({stack.transport.address})")
            print(f"data       {stack.data_dir}")
            print(f"logs       {stack.logs}")
            print("Ctrl-C stops it.", flush=True)
            stack.watch()
    except KeyboardInterrupt:
        print("\nstopped")
    except (ChildDied, NotReady, WorkerError) as error:
        _fail(str(error))


@app.command()
def api() -> None:
    """Run the API alone; the settings come from the environment (TRAINYARD_…)."""
    from service.server import run_api
    from worker.settings import Settings

    raise typer.Exit(run_api(Settings()))


@app.command()
def worker() -> None:
    """Run a worker alone; the settings come from the environment (TRAINYARD_…)."""
    from worker.process import run_worker
    from worker.settings import Settings

    raise typer.Exit(run_worker(Settings()))


@app.command()
def doctor() -> None:
    """Say what this machine offers and what is missing; exit 1 when something is broken."""
    from trainyard.doctor import examine

    raise typer.Exit(0 if examine(Console()) else 1)


@app.command()
def alive() -> None:
    """Exit 0 if a worker of this machine reported lately: a container's health check."""
    from worker.settings import Settings
    from worker.store import open_store

    store = open_store(Settings())
    try:
        here = [worker for worker in store.workers.alive() if worker.host == socket.gethostname()]
    finally:
        store.close()
    if not here:
        _fail(f"no worker on {socket.gethostname()} has reported lately")
    print(f"worker {here[0].id} reported at {here[0].seen_at:%H:%M:%S} UTC")


# speaking to a service


@app.command()
def submit(
    spec: JsonFile,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print its events as they come.")] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Queue a training job and print its id."""
    with _client(url) as client:
        job = client.submit(_object(spec))
        print(job["id"], flush=True)
        if follow:
            _follow(client, job["id"])


@app.command()
def jobs(
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20, url: Url = DEFAULT_URL
) -> None:
    """List jobs, newest first."""
    with _client(url) as client:
        for job in client.jobs(limit=limit):
            epochs = f"{job['epoch']}/{job['epochs']}"
            print(f"{job['id']}  {job['created_at']:.19}  {job['state']:<9}  {epochs:>9}  {job['name'] or ''}")


@app.command()
def status(job_id: JobId, url: Url = DEFAULT_URL) -> None:
    """Print a job as JSON."""
    with _client(url) as client:
        print(json.dumps(client.job(job_id), indent=2, ensure_ascii=False))


@app.command()
def logs(job_id: JobId, url: Url = DEFAULT_URL) -> None:
    """Print a job's events from the first one on, one line each, until it is done."""
    with _client(url) as client:
        _follow(client, job_id)


@app.command()
def predict(job_id: JobId, rows: JsonFile, url: Url = DEFAULT_URL) -> None:
    """Print what a job's model says about rows: {"rows": […]}, or the list itself."""
    document = _json(rows)
    listed = document.get("rows") if isinstance(document, dict) else document
    if not isinstance(listed, list):
        _fail(f'{rows.name} holds no rows; write {{"rows": [[…], …]}} or [[…], …]')
    with _client(url) as client:
        # The service says which row is not a row, and why.
        predictions = client.predict(job_id, listed)  # type: ignore[arg-type]
        for prediction in predictions:
            print(json.dumps(prediction, ensure_ascii=False))


@app.command()
def check(
    job_id: JobId,
    at: Annotated[str, typer.Option(help="Whose parameters: start, end, or an epoch's number.")] = "end",
    epsilon: Annotated[float, typer.Option(help="How far a component is moved.")] = 1e-7,
    sided: Annotated[str, typer.Option(help="one errs by O(ε), two by O(ε²).")] = "two",
    sample: Annotated[int, typer.Option(help="Components checked of a network that has more.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the choice of examples and components.")] = 0,
    url: Url = DEFAULT_URL,
) -> None:
    """Compare a job's backpropagation with finite differences; exit 1 where it is wrong."""
    wanted: dict[str, JsonValue] = {
        "at": int(at) if at.isdecimal() else at,
        "epsilon": epsilon,
        "sided": sided,
        "sample": sample,
        "seed": seed,
    }
    with _client(url) as client:
        made = client.wait_gradient_check(job_id, client.request_gradient_check(job_id, wanted)["number"])
    if made["error"] is not None:
        _fail(f"gradient check {made['number']} failed: {made['error']['message']}")
    if (report := made["report"]) is not None:
        from trainyard.gradient_table import gradient_table

        Console(highlight=False, soft_wrap=True).print(gradient_table(report))
        if report["verdict"] == "wrong":
            raise typer.Exit(1)


@app.command()
def cancel(job_id: JobId, url: Url = DEFAULT_URL) -> None:
    """Ask for the end of a job."""
    with _client(url) as client:
        job = client.cancel(job_id)
    print(f"{job['state']}" + (f", {job['pending']} pending" if job["pending"] else ""))


@app.command("version")
def show_version() -> None:
    """Print the version."""
    print(version("trainyard"))


@contextmanager
def _client(url: str) -> Iterator[Client]:
    """A client whose refusals end the command with their message."""
    try:
        with Client(url) as client:
            yield client
    except TrainyardError as error:
        _fail(str(error))


def _follow(client: Client, job_id: str) -> None:
    for event in client.stream(job_id):
        print(_line(event), flush=True)
    job = client.job(job_id)
    if job["state"] != "succeeded":
        raise JobFailed(job)


def _line(event: Event) -> str:
    """`epoch epoch=3 epochs=20 train_cost=0.25 …`; what is nested deeper is left to the API."""
    metrics = event["data"].get("metrics")
    data = event["data"] | (metrics if isinstance(metrics, dict) else {})
    plain = {name: value for name, value in data.items() if not isinstance(value, dict | list)}
    return " ".join([event["type"], *(f"{name}={_short(value)}" for name, value in plain.items())])


def _short(value: JsonValue) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _json(file: typer.FileText) -> JsonValue:
    try:
        document: JsonValue = json.load(file)
    except ValueError as error:
        _fail(f"{file.name} is not JSON: {error}")
    return document


def _object(file: typer.FileText) -> Mapping[str, JsonValue]:
    document = _json(file)
    if not isinstance(document, dict):
        _fail(f'{file.name} must hold a JSON object, such as {{"data": {{"train": "digits", …}}}}')
    return document


def _fail(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise typer.Exit(1)


def _end_on_sigterm() -> None:
    """SIGTERM unwinds the stack as Ctrl-C does, so that what was started is stopped."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)
