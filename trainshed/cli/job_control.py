"""Commands that steer a job: pause, resume, stop, cancel, change, and the checkpoints it can go back to."""

import json
from typing import Annotated

import typer

from trainshed.cli.json_files import read_object
from trainshed.cli.options import JobId, JsonFile, Url
from trainshed.cli.session import open_client
from trainshed.client import DEFAULT_URL
from trainshed.client.types import Job

PANEL = "Steer"


def add_to(app: typer.Typer) -> None:
    """Give the group these commands."""
    for command in (pause, resume, stop, cancel, change, checkpoints):
        app.command(rich_help_panel=PANEL)(command)


def pause(job_id: JobId, url: Url = DEFAULT_URL) -> None:
    """Let a job rest; it is saved first."""
    with open_client(url) as client:
        _say(client.jobs.pause(job_id))


def resume(
    job_id: JobId,
    checkpoint: Annotated[
        int | None, typer.Option(min=1, help="Go back to this one; what came behind it is undone.")
    ] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Queue a paused job again."""
    with open_client(url) as client:
        _say(client.jobs.resume(job_id, checkpoint=checkpoint))


def stop(job_id: JobId, url: Url = DEFAULT_URL) -> None:
    """Ask for the end of a training; the best model so far is kept."""
    with open_client(url) as client:
        _say(client.jobs.stop(job_id))


def cancel(job_id: JobId, url: Url = DEFAULT_URL) -> None:
    """Ask for the end of a job; no model is kept."""
    with open_client(url) as client:
        _say(client.jobs.cancel(job_id))


def change(
    job_id: JobId,
    patch: JsonFile,
    note: Annotated[str | None, typer.Option(help="Why, for the job's history.")] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Change hyper-parameters of a job while it trains: {"optimizer": {"learning_rate": 0.01}}."""
    with open_client(url) as client:
        changed = client.jobs.change(job_id, read_object(patch), note=note)
    for revision in changed["data"][-1:]:
        print(f"revision {revision['number']}")
        for pointer, value in revision["after"].items():
            print(f"  {pointer}  {json.dumps(revision['before'][pointer])} → {json.dumps(value)}")


def checkpoints(job_id: JobId, url: Url = DEFAULT_URL) -> None:
    """List where a job can go on, oldest first."""
    with open_client(url) as client:
        for one in client.jobs.checkpoints(job_id):
            place = f"epoch {one['epoch']}, step {one['step']}"
            print(f"{one['number']:>4}  {one['created_at']:.19}  {one['kind']:<8}  {place}, revision {one['revision']}")


def _say(job: Job) -> None:
    print(f"{job['state']}" + (f", {job['pending']} pending" if job["pending"] else ""))
