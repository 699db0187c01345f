"""`trainshed job`: submit jobs, follow them, use what they made."""

import json
from collections.abc import Mapping
from typing import Annotated

import durationpy
import typer

from trainshed.cli import gradient_check, job_control
from trainshed.cli.failure import MISUSED, fail
from trainshed.cli.json_files import read_object, read_rows, show
from trainshed.cli.options import JobId, JsonFile, Url
from trainshed.cli.session import open_client
from trainshed.client import DEFAULT_URL, Client, JobFailed
from trainshed.client.types import Event, JsonValue

RESULTS = "Look at results"
OLD = "Tidy up"

app = typer.Typer(help="Trainings: submit, follow, steer and compare them.", no_args_is_help=True)


@app.command()
def submit(
    spec: JsonFile,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print its events as they come.")] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Queue a training job and print its id."""
    with open_client(url) as client:
        job = client.jobs.submit(read_object(spec))
        print(job["id"], flush=True)
        if follow:
            _follow(client, job["id"])


@app.command()
def validate(spec: JsonFile, url: Url = DEFAULT_URL) -> None:
    """Print what a spec would be as a job, with every default, and cost; nothing is queued."""
    with open_client(url) as client:
        show(client.jobs.validate(read_object(spec)))


@app.command("list")
def list_jobs(
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    csv: Annotated[bool, typer.Option("--csv", help="As a table: with every result, and no spec.")] = False,
    fields: Annotated[
        str, typer.Option(help="Columns of such a table: id,spec.optimizer.learning_rate,result.test.accuracy")
    ] = "",
    url: Url = DEFAULT_URL,
) -> None:
    """List jobs, newest first."""
    with open_client(url) as client:
        if csv or fields:
            print(client.jobs.list_csv(fields.split(",") if fields else (), limit=limit), end="")
            return
        for job in client.jobs.list(limit=limit):
            epochs = f"{job['epoch']}/{job['epochs']}"
            print(f"{job['id']}  {job['created_at']:.19}  {job['state']:<9}  {epochs:>9}  {job['name'] or ''}")


@app.command("show")
def show_job(job_id: JobId, url: Url = DEFAULT_URL) -> None:
    """Print a job as JSON."""
    with open_client(url) as client:
        show(client.jobs.get(job_id))


@app.command()
def watch(job_id: JobId, url: Url = DEFAULT_URL) -> None:
    """Print a job's events from the first one on, one line each, until it is done."""
    with open_client(url) as client:
        _follow(client, job_id)


job_control.add_to(app)


@app.command(rich_help_panel=RESULTS)
def predict(job_id: JobId, rows: JsonFile, url: Url = DEFAULT_URL) -> None:
    """Print what a job's model says about rows: {"rows": […]}, or the list itself."""
    listed = read_rows(rows)
    with open_client(url) as client:
        for prediction in client.jobs.predict(job_id, listed):
            print(json.dumps(prediction, ensure_ascii=False))


@app.command(rich_help_panel=RESULTS)
def metrics(
    job_id: JobId,
    max_points: Annotated[int | None, typer.Option(min=1, help="Thin a long curve out to so many rows.")] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Print the measurements as CSV, a row per epoch."""
    with open_client(url) as client:
        print(client.jobs.metrics_csv(job_id, max_points=max_points), end="")


@app.command(rich_help_panel=RESULTS)
def diagnose(job_id: JobId, url: Url = DEFAULT_URL) -> None:
    """Say whether bias or variance is high, why, and what to try next."""
    with open_client(url) as client:
        diagnosis = client.jobs.diagnosis(job_id)
    print(diagnosis["verdict"])
    for reason in diagnosis["evidence"]:
        print(f"  {reason}")
    for step in diagnosis["next_steps"]:
        print(f"{step['title']}, against {step['against']}: {step['reason']}")
        print(f"  {json.dumps(step['patch'], ensure_ascii=False)}")


app.command(rich_help_panel=RESULTS)(gradient_check.check)


@app.command(rich_help_panel=RESULTS)
def compare(job_ids: Annotated[list[str], typer.Argument(help="Two to ten jobs.")], url: Url = DEFAULT_URL) -> None:
    """Print the fields in which the jobs' specs differ, then where each job stands."""
    with open_client(url) as client:
        comparison = client.jobs.compare(*job_ids)
    for difference in comparison["differences"]:
        print(f"{difference['pointer']}  {'  '.join(json.dumps(value) for value in difference['values'])}")
    for name, curves in comparison["curves"]["series"].items():
        last = (next((value for value in reversed(curve) if value is not None), None) for curve in curves)
        print(f"{name}  {'  '.join(_format_value(value) for value in last)}")


@app.command(rich_help_panel=RESULTS)
def rerun(job_id: JobId, url: Url = DEFAULT_URL) -> None:
    """Queue a job once more, alike, and print the new id; its result says whether it came out alike."""
    with open_client(url) as client:
        print(client.jobs.rerun(job_id)["id"])


@app.command(rich_help_panel=OLD)
def delete(job_id: JobId, url: Url = DEFAULT_URL) -> None:
    """Remove a job that is done, with its model."""
    with open_client(url) as client:
        client.jobs.delete(job_id)


@app.command(rich_help_panel=OLD)
def prune(
    older_than: Annotated[str, typer.Option(help="Since they ended: 30d, 12h, 90m or 10s.")],
    url: Url = DEFAULT_URL,
) -> None:
    """Remove the jobs that ended long ago, but for those that others start from, and print their ids."""
    seconds = _read_duration(older_than)
    with open_client(url) as client:
        for job_id in client.jobs.prune(seconds):
            print(job_id)


def _read_duration(text: str) -> float:
    try:
        seconds = float(durationpy.from_str(text.replace(" ", "")).total_seconds())
    except ValueError:
        seconds = -1.0
    if seconds < 0:
        fail(f"{text!r} is no duration; write a number with a unit, such as 30d, 12h, 90m or 10s", MISUSED)
    return seconds


def _follow(client: Client, job_id: str) -> None:
    for event in client.jobs.stream(job_id):
        print(_format_event(event), flush=True)
    job = client.jobs.get(job_id)
    if job["state"] != "succeeded":
        raise JobFailed(job)


def _format_event(event: Event) -> str:
    """`epoch epoch=3 epochs=20 train_cost=0.25 …`; what is nested deeper is left to the API."""
    metrics = event["data"].get("metrics")
    data: Mapping[str, JsonValue] = event["data"] | (metrics if isinstance(metrics, dict) else {})
    plain = {name: value for name, value in data.items() if not isinstance(value, dict | list)}
    return " ".join([event["type"], *(f"{name}={_format_value(value)}" for name, value in plain.items())])


def _format_value(value: JsonValue) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
