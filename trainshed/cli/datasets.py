"""`trainshed dataset`: upload data, look at them, check them."""

import json
from pathlib import Path
from typing import Annotated

import typer

from trainshed.cli.failure import fail
from trainshed.cli.json_files import show
from trainshed.cli.options import DatasetReference, Limit, Url
from trainshed.cli.session import open_client
from trainshed.client import DEFAULT_URL

app = typer.Typer(help="Data that jobs can name: upload, look, check.", no_args_is_help=True)


@app.command()
def upload(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help=".csv, .json, .parquet, .xlsx, .npz, .zip …")
    ],
    name: Annotated[str | None, typer.Option(help="The dataset's name; the file's without its suffix else.")] = None,
    media_type: Annotated[str | None, typer.Option(help="What the file is, where its suffix does not say.")] = None,
    size: Annotated[str | None, typer.Option(help="Of zipped images: bring them to one size, such as 28x28.")] = None,
    sheet: Annotated[str | None, typer.Option(help="Of a workbook: the sheet, if not its first.")] = None,
    said: Annotated[
        list[str] | None, typer.Option("--set", help="What a CSV does not say, such as header=false; may come again.")
    ] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Store a file as a dataset, or as the next version of it, and print its id and what was guessed about it."""
    options = {}
    for each in said or []:
        option, equals, value = each.partition("=")
        if not equals:
            fail(f"--set {each} says no value; write {each}=…, such as header=false")
        options[option] = value
    with open_client(url) as client:
        stored = client.datasets.upload(name or file.stem, file, media_type, size=size, sheet=sheet, options=options)
    print(f"{stored['id']}  {stored['name']}@{stored['version']}  {stored['rows']} rows")
    guesses = stored["summary"].get("guesses")
    for guess in guesses if isinstance(guesses, list) else []:
        if isinstance(guess, dict):
            settle = f" (--set {guess['settle']})" if guess["settle"] else ""
            print(f"guessed: {guess['detail']}{settle}")


@app.command("list")
def list_datasets(
    name: Annotated[str | None, typer.Option(help="Of this name alone: its versions.")] = None,
    limit: Limit = 20,
    url: Url = DEFAULT_URL,
) -> None:
    """List datasets, newest first."""
    with open_client(url) as client:
        for one in client.datasets.list(limit=limit, name=name):
            print(f"{one['id']}  {one['created_at']:.19}  {one['name']}@{one['version']}  {one['rows']} rows")


@app.command("show")
def show_dataset(dataset: DatasetReference, url: Url = DEFAULT_URL) -> None:
    """Print a dataset as JSON, with what every column holds."""
    with open_client(url) as client:
        show(client.datasets.get(dataset))


@app.command()
def check(
    dataset: DatasetReference,
    target: Annotated[str | None, typer.Option(help="The column to predict: checks of classes and giveaways.")] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Say what may be wrong with the data, the gravest first; exit 1 where something is serious or refused."""
    with open_client(url) as client:
        findings = client.datasets.check(dataset, target=target)["findings"]
    for finding in findings:
        settle = {what: value for what, value in (finding.get("settle") or {}).items() if value is not None}
        how = f" {json.dumps(settle, ensure_ascii=False)}" if settle else ""
        print(f"{finding['severity']}: {finding['message']} {finding['advice']}{how}")
    if any(finding["severity"] in ("serious", "refused") for finding in findings):
        fail(f"{dataset} has serious faults")


@app.command()
def delete(dataset: DatasetReference, url: Url = DEFAULT_URL) -> None:
    """Remove a dataset; jobs that used it keep what they learned."""
    with open_client(url) as client:
        client.datasets.delete(dataset)
