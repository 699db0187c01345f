"""`trainshed batch`: predictions of whole datasets."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from trainshed.cli.failure import fail
from trainshed.cli.options import Alias, DatasetReference, Limit, ModelName, Threshold, Url, Version
from trainshed.cli.session import open_client
from trainshed.client import DEFAULT_URL

app = typer.Typer(help="Predictions of whole datasets by a registered model.", no_args_is_help=True)


@app.command()
def predict(
    name: ModelName,
    dataset: DatasetReference,
    output: Annotated[Path, typer.Argument(help="The file to write; .parquet for Parquet, else CSV.")],
    alias: Alias = None,
    version: Version = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(help="A column of the dataset for the result; may be repeated. Else those that tell rows apart."),
    ] = None,
    threshold: Threshold = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Predict a whole dataset on the workers, and write the result to a file."""
    form: Literal["csv", "parquet"] = "parquet" if output.suffix.lower() == ".parquet" else "csv"
    with open_client(url) as client:
        asked = client.batches.submit(
            name, dataset, format=form, keep=keep or None, threshold=threshold, alias=alias, version=version
        )
        done = client.batches.wait(name, asked["id"])
        if done["error"] is not None:
            fail(f"{done['id']} failed: {done['error']['message']}")
        client.batches.download(name, done["id"], output)
        print(f"{done['rows']} rows, {done['model']} version {done['version']}")


@app.command("list")
def list_batches(name: ModelName, limit: Limit = 20, url: Url = DEFAULT_URL) -> None:
    """List a model's batch predictions, newest first."""
    with open_client(url) as client:
        for one in client.batches.list(name, limit=limit):
            rows = f"{one['rows_done']}/{one['rows']}"
            print(f"{one['id']}  {one['created_at']:.19}  {one['state']:<9}  {rows:>11}  {one['reference']}")


@app.command()
def delete(
    name: ModelName,
    batch_id: Annotated[str, typer.Argument(help="Its id, as `list` prints it.")],
    url: Url = DEFAULT_URL,
) -> None:
    """Remove a batch prediction with its result."""
    with open_client(url) as client:
        client.batches.delete(name, batch_id)
