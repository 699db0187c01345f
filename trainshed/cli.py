"""The command `trainshed`: it starts the service, and speaks to one over HTTP."""

import json
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console

from trainshed.client import DEFAULT_URL, Client, JobFailed, TrainshedError
from trainshed.documents import Event, Job, JsonValue

if TYPE_CHECKING:
    from worker.settings import Settings

app = typer.Typer(
    help="Train deep networks by sending JSON.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback is for whoever reports it: as Python prints it
    context_settings={"help_option_names": ["-h", "--help"]},
)

Url = Annotated[str, typer.Option("--url", envvar="TRAINSHED_URL", help="Where the service answers.")]
JobId = Annotated[str, typer.Argument(help="The job's id, as `submit` printed it.")]
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

JsonFile = Annotated[typer.FileText, typer.Argument(help="A JSON file, or - for the standard input.")]


# starting the service


@app.command()
def demo() -> None:
    """Train a network on handwritten digits through the whole stack, then stop it."""
    _require_service("demo")
    from trainshed.demo import run

    _end_on_sigterm()
    raise typer.Exit(run())


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; TRAINSHED_HOST otherwise.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
    workers: Annotated[int | None, typer.Option(help="API processes.", min=1)] = None,
) -> None:
    """Start Redis, a worker and the API, and keep them up until Ctrl-C."""
    _require_service("serve")
    from trainshed.stack import ChildDied, NotReady, Stack
    from worker.errors import WorkerError
    from worker.settings import Settings

    settings = Settings()
    _end_on_sigterm()
    stack = Stack(
        settings.data_dir,
        host=settings.host if host is None else host,
        port=settings.port if port is None else port,
        environment={} if workers is None else {"TRAINSHED_API_PROCESSES": str(workers)},
    )
    try:
        with stack:
            print(f"API    {stack.url}/v1/jobs")
            print(f"docs   {stack.url}/docs")
            print(f"Redis  {stack.redis}")
            print(f"data   {stack.data_dir}")
            print(f"logs   {stack.logs}")
            print("Ctrl-C stops it.", flush=True)
            stack.watch()
    except KeyboardInterrupt:
        print("\nstopped")
    except (ChildDied, NotReady, WorkerError) as error:
        _fail(str(error))


@app.command()
def api(workers: Annotated[int | None, typer.Option(help="API processes.", min=1)] = None) -> None:
    """Run the API alone; the settings come from the environment (TRAINSHED_…)."""
    _require_service("api")
    from worker.loading import lasting
    from worker.settings import Settings

    settings = Settings()
    _say_of_redis(settings)
    with lasting():
        from service.server import run_api

    raise typer.Exit(run_api(settings if workers is None else settings.model_copy(update={"api_processes": workers})))


@app.command()
def worker() -> None:
    """Run a worker alone; the settings come from the environment (TRAINSHED_…)."""
    _require_service("worker")
    from worker.loading import lasting
    from worker.settings import Settings

    settings = Settings()
    _say_of_redis(settings, end_for_good=True)
    with lasting():
        from worker.process import run_worker

    raise typer.Exit(run_worker(settings))


@app.command()
def doctor() -> None:
    """Say what this machine offers and what is missing; exit 1 when something is broken."""
    _require_service("doctor")
    from trainshed.doctor import examine

    raise typer.Exit(0 if examine(Console()) else 1)


@app.command()
def alive() -> None:
    """Exit 0 if a worker of this machine reported lately: a container's health check."""
    _require_service("alive")
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
def predict(
    source: Annotated[str, typer.Argument(help="A job's id, or the name of a registered model.")],
    rows: JsonFile,
    alias: Annotated[str | None, typer.Option(help="The version that this alias of the model means.")] = None,
    version: Annotated[int | None, typer.Option(min=1, help="This version of the model.")] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Print what a job's model, or a registered one, says about rows: {"rows": […]}, or the list itself."""
    document = _json(rows)
    listed = document.get("rows") if isinstance(document, dict) else document
    if not isinstance(listed, list):
        _fail(f'{rows.name} holds no rows; write {{"rows": [[…], …]}} or [[…], …]')
    with _client(url) as client:
        # The service says which row is not a row, and why.
        if source.startswith("job_"):
            predictions = client.predict(source, listed)  # type: ignore[arg-type]
        else:
            answer = client.predict_with(source, listed, alias=alias, version=version)  # type: ignore[arg-type]
            predictions = answer["predictions"]
        for prediction in predictions:
            print(json.dumps(prediction, ensure_ascii=False))


@app.command()
def register(
    name: Annotated[str, typer.Argument(help="The model's name; the first version makes it.")],
    job_id: JobId,
    checkpoint: Annotated[int | None, typer.Option(min=1, help="One of the job's checkpoints instead.")] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Make a job's model the next version of a name, and print its number."""
    with _client(url) as client:
        print(client.register(name, job_id, checkpoint=checkpoint)["version"])


@app.command()
def models(url: Url = DEFAULT_URL) -> None:
    """List registered models, and what their aliases mean."""
    with _client(url) as client:
        for model in client.models(limit=1000):
            aliases = "  ".join(f"{alias}={version}" for alias, version in model["aliases"].items())
            print(f"{model['name']}  newest={model['newest']}  {aliases}".rstrip())


@app.command()
def alias(
    name: Annotated[str, typer.Argument(help="The model's name.")],
    alias: Annotated[str, typer.Argument(help="The alias, such as production.")],
    version: Annotated[int | None, typer.Argument(help="The version that it is to mean.")] = None,
    rollback: Annotated[bool, typer.Option("--rollback", help="Have it mean what it meant before.")] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Have an alias mean a version of a model, and print it."""
    if (version is None) != rollback:
        _fail("say either which version the alias is to mean, or --rollback")
    with _client(url) as client:
        changed = client.roll_back(name, alias) if version is None else client.set_alias(name, alias, version)
        print(changed["version"])


@app.command()
def batch(
    name: Annotated[str, typer.Argument(help="The model's name.")],
    dataset: Annotated[str, typer.Argument(help="Id or name of the dataset to predict.")],
    output: Annotated[Path, typer.Argument(help="The file to write; .parquet for Parquet, else CSV.")],
    alias: Annotated[str | None, typer.Option(help="The version that this alias means.")] = None,
    version: Annotated[int | None, typer.Option(min=1, help="This version.")] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Predict a whole dataset on the workers, and write the result to a file."""
    form = "parquet" if output.suffix.lower() == ".parquet" else "csv"
    with _client(url) as client:
        asked = client.predict_batch(name, dataset, format=form, alias=alias, version=version)
        done = client.wait_batch(name, asked["id"])
        if done["error"] is not None:
            _fail(f"{done['id']} failed: {done['error']['message']}")
        client.download_batch(name, done["id"], output)
        print(f"{done['rows']} rows, {done['model']} version {done['version']}")


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
        from trainshed.gradient_table import gradient_table

        Console(highlight=False, soft_wrap=True).print(gradient_table(report))
        if report["verdict"] == "wrong":
            raise typer.Exit(1)


@app.command()
def cancel(job_id: JobId, url: Url = DEFAULT_URL) -> None:
    """Ask for the end of a job; no model is kept."""
    with _client(url) as client:
        _say(client.cancel(job_id))


@app.command()
def stop(job_id: JobId, url: Url = DEFAULT_URL) -> None:
    """Ask for the end of a training; the best model so far is kept."""
    with _client(url) as client:
        _say(client.stop(job_id))


@app.command()
def pause(job_id: JobId, url: Url = DEFAULT_URL) -> None:
    """Let a job rest; it is saved first."""
    with _client(url) as client:
        _say(client.pause(job_id))


@app.command()
def resume(
    job_id: JobId,
    checkpoint: Annotated[
        int | None, typer.Option(min=1, help="Go back to this one; what came behind it is undone.")
    ] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Queue a paused job again."""
    with _client(url) as client:
        _say(client.resume(job_id, checkpoint=checkpoint))


@app.command()
def change(
    job_id: JobId,
    patch: JsonFile,
    note: Annotated[str | None, typer.Option(help="Why, for the job's history.")] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Change hyper-parameters of a job while it trains: {"optimizer": {"learning_rate": 0.01}}."""
    with _client(url) as client:
        changed = client.change(job_id, _object(patch), note=note)
    for revision in changed["data"][-1:]:
        print(f"revision {revision['number']}")
        for pointer, value in revision["after"].items():
            print(f"  {pointer}  {json.dumps(revision['before'][pointer])} → {json.dumps(value)}")


@app.command()
def checkpoints(job_id: JobId, url: Url = DEFAULT_URL) -> None:
    """List where a job can go on, oldest first."""
    with _client(url) as client:
        for one in client.checkpoints(job_id):
            place = f"epoch {one['epoch']}, step {one['step']}"
            print(f"{one['number']:>4}  {one['created_at']:.19}  {one['kind']:<8}  {place}, revision {one['revision']}")


@app.command()
def rerun(job_id: JobId, url: Url = DEFAULT_URL) -> None:
    """Queue a job once more, alike, and print the new id; its result says whether it came out alike."""
    with _client(url) as client:
        print(client.rerun(job_id)["id"])


@app.command()
def compare(job_ids: Annotated[list[str], typer.Argument(help="Two to ten jobs.")], url: Url = DEFAULT_URL) -> None:
    """Print the fields in which the jobs' specs differ, then where each job stands."""
    with _client(url) as client:
        comparison = client.compare(*job_ids)
    for difference in comparison["differences"]:
        print(f"{difference['pointer']}  {'  '.join(json.dumps(value) for value in difference['values'])}")
    for name, curves in comparison["curves"]["series"].items():
        last = (next((value for value in reversed(curve) if value is not None), None) for curve in curves)
        print(f"{name}  {'  '.join(_short(value) for value in last)}")


@app.command()
def workers(url: Url = DEFAULT_URL) -> None:
    """List the workers that were seen lately, and what they do."""
    with _client(url) as client:
        for one in client.workers():
            print(
                f"{one['host']}:{one['pid']}  {','.join(one['queues'])}  {one['device'] or ''}  {one['job'] or 'idle'}"
            )


@app.command()
def delete(job_id: JobId, url: Url = DEFAULT_URL) -> None:
    """Remove a job that is done, with its model."""
    with _client(url) as client:
        client.delete(job_id)


@app.command()
def prune(
    older_than: Annotated[str, typer.Option(help="Since they ended: 30d, 12h, 90m or 10s.")],
    url: Url = DEFAULT_URL,
) -> None:
    """Remove the jobs that ended long ago, but for those that others start from, and print their ids."""
    amount, unit = older_than[:-1], older_than[-1:]
    if not amount.isdecimal() or unit not in SECONDS:
        _fail(f"{older_than!r} is no duration; write a number and one of {', '.join(SECONDS)}, such as 30d")
    with _client(url) as client:
        for job_id in client.prune(int(amount) * SECONDS[unit]):
            print(job_id)


@app.command("version")
def show_version() -> None:
    """Print the version."""
    print(installed("trainshed-client"))  # the service's, too: both are of one checkout


def _require_service(command: str) -> None:
    """End with one sentence where there is the client alone."""
    try:
        installed("trainshed")
    except PackageNotFoundError:
        _fail(
            f"`trainshed {command}` needs the service, and only the client is installed "
            "here; `pip install .` in a checkout of trainshed installs both"
        )


def _say_of_redis(settings: "Settings", *, end_for_good: bool = False) -> None:
    """Say at once what is wrong with Redis, before what takes longer is loaded.

    Without the address of one the command ends; also, if it is to, where no waiting helps. Else Redis may come later.
    """
    import structlog

    from worker.broker import check_broker
    from worker.errors import BrokerUnavailable
    from worker.logs import configure_logs

    try:
        fault = check_broker(settings)
    except BrokerUnavailable as error:
        _fail(str(error))
    if fault is not None and fault.lasting and end_for_good:
        _fail(str(fault))
    if fault is not None:
        configure_logs()
        structlog.get_logger("redis").warning("redis_unavailable", detail=str(fault))


@contextmanager
def _client(url: str) -> Iterator[Client]:
    """A client whose refusals end the command with their message."""
    try:
        with Client(url) as client:
            yield client
    except TrainshedError as error:
        _fail(str(error))


def _say(job: Job) -> None:
    print(f"{job['state']}" + (f", {job['pending']} pending" if job["pending"] else ""))


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
