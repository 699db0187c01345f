"""The command `trainshed`: what speaks to a service over HTTP, beside what starts one."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version as installed
from pathlib import Path
from typing import Annotated

import durationpy
import typer
from rich.console import Console

from trainshed.cli import starting
from trainshed.cli.failure import MISUSED, fail
from trainshed.client import DEFAULT_URL, Client, InvalidUrl, JobFailed, TrainshedError
from trainshed.client.types import Event, Job, JsonValue

app = typer.Typer(
    help="Train deep networks by sending JSON.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback is for whoever reports it: as Python prints it
    context_settings={"help_option_names": ["-h", "--help"]},
)

Url = Annotated[str, typer.Option("--url", envvar="TRAINSHED_URL", help="Where the service answers.")]
JobId = Annotated[str, typer.Argument(help="The job's id, as `submit` printed it.")]
JsonFile = Annotated[typer.FileText, typer.Argument(help="A JSON file, or - for the standard input.")]

app.add_typer(starting.app)


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
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    csv: Annotated[bool, typer.Option("--csv", help="As a table: with every result, and no spec.")] = False,
    fields: Annotated[
        str, typer.Option(help="Columns of such a table: id,spec.optimizer.learning_rate,result.test.accuracy")
    ] = "",
    url: Url = DEFAULT_URL,
) -> None:
    """List jobs, newest first."""
    with _client(url) as client:
        if csv or fields:
            print(client.jobs_csv(fields.split(",") if fields else (), limit=limit), end="")
            return
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
        fail(f'{rows.name} holds no rows; write {{"rows": [[…], …]}} or [[…], …]')
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
        fail("say either which version the alias is to mean, or --rollback")
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
            fail(f"{done['id']} failed: {done['error']['message']}")
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
        fail(f"gradient check {made['number']} failed: {made['error']['message']}")
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
    seconds = _seconds(older_than)
    with _client(url) as client:
        for job_id in client.prune(seconds):
            print(job_id)


@app.command("version")
def show_version() -> None:
    """Print the version."""
    print(installed("trainshed-client"))  # the service's, too: both are of one checkout


@contextmanager
def _client(url: str) -> Iterator[Client]:
    """A client whose refusals end the command with their message."""
    try:
        with Client(url) as client:
            yield client
    except InvalidUrl as error:
        fail(f"{error} (--url, or TRAINSHED_URL)", MISUSED)
    except TrainshedError as error:
        fail(str(error))


def _seconds(text: str) -> float:
    try:
        seconds = float(durationpy.from_str(text.replace(" ", "")).total_seconds())
    except ValueError:
        seconds = -1.0
    if seconds < 0:
        fail(f"{text!r} is no duration; write a number with a unit, such as 30d, 12h, 90m or 10s", MISUSED)
    return seconds


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
        fail(f"{file.name} is not JSON: {error}")
    return document


def _object(file: typer.FileText) -> Mapping[str, JsonValue]:
    document = _json(file)
    if not isinstance(document, dict):
        fail(f'{file.name} must hold a JSON object, such as {{"data": {{"train": "digits", …}}}}')
    return document
