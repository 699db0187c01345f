"""`trainshed model`: versions, aliases, predictions."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from trainshed.cli.failure import fail
from trainshed.cli.json_files import read_rows, show
from trainshed.cli.options import Alias, JobId, JsonFile, Limit, ModelName, Threshold, Url, Version
from trainshed.cli.session import open_client
from trainshed.client import DEFAULT_URL

app = typer.Typer(help="Registered models: versions, aliases, predictions.", no_args_is_help=True)


@app.command()
def register(
    name: Annotated[str, typer.Argument(help="The model's name; the first version makes it.")],
    job_id: JobId,
    checkpoint: Annotated[int | None, typer.Option(min=1, help="One of the job's checkpoints instead.")] = None,
    strict: Annotated[
        bool | None, typer.Option("--strict/--lenient", help="Refuse rows with missing or unknown fields.")
    ] = None,
    threshold: Threshold = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Make a job's model the next version of a name, and print its number."""
    with open_client(url) as client:
        made = client.models.register(name, job_id, checkpoint=checkpoint, strict=strict, threshold=threshold)
        print(made["version"])


@app.command()
def change(
    name: ModelName,
    version: Annotated[int, typer.Argument(min=1, help="The version to change.")],
    strict: Annotated[
        bool | None, typer.Option("--strict/--lenient", help="Refuse rows with missing or unknown fields.")
    ] = None,
    threshold: Threshold = None,
    no_threshold: Annotated[bool, typer.Option("--no-threshold", help="Take the likelier label.")] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Change how a version of a model answers, and print what it does now."""
    wanted: dict[str, object] = {} if strict is None else {"strict": strict}
    if threshold is not None or no_threshold:
        wanted["threshold"] = threshold
    if not wanted or (threshold is not None and no_threshold):
        fail("say one of --strict and --lenient, one of --threshold and --no-threshold, or both")
    with open_client(url) as client:
        now = client.models.change_version(name, version, wanted)
        print(f"strict={json.dumps(now['strict'])}  threshold={json.dumps(now['threshold'])}")


@app.command("list")
def list_models(limit: Limit = 1000, url: Url = DEFAULT_URL) -> None:
    """List registered models, and what their aliases mean."""
    with open_client(url) as client:
        for model in client.models.list(limit=limit):
            aliases = "  ".join(f"{alias}={version}" for alias, version in model["aliases"].items())
            print(f"{model['name']}  newest={model['newest']}  {aliases}".rstrip())


@app.command("show")
def show_model(name: ModelName, url: Url = DEFAULT_URL) -> None:
    """Print a model as JSON."""
    with open_client(url) as client:
        show(client.models.get(name))


@app.command()
def versions(name: ModelName, limit: Limit = 20, url: Url = DEFAULT_URL) -> None:
    """List the versions of a model, newest first."""
    with open_client(url) as client:
        for one in client.models.versions(name, limit=limit):
            aliases = "  ".join(one["aliases"])
            print(f"{one['version']:>4}  {one['created_at']:.19}  {one['job']}  {aliases}".rstrip())


@app.command()
def alias(
    name: ModelName,
    alias: Annotated[str, typer.Argument(help="The alias, such as production.")],
    version: Annotated[int | None, typer.Argument(help="The version that it is to mean.")] = None,
    rollback: Annotated[bool, typer.Option("--rollback", help="Have it mean what it meant before.")] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Have an alias mean a version of a model, and print it."""
    if (version is None) != rollback:
        fail("say either which version the alias is to mean, or --rollback")
    with open_client(url) as client:
        models = client.models
        changed = models.roll_back(name, alias) if version is None else models.set_alias(name, alias, version)
        print(changed["version"])


@app.command()
def predict(
    name: ModelName,
    rows: JsonFile,
    alias: Alias = None,
    version: Version = None,
    threshold: Threshold = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Print what a model says about rows: {"rows": […]}, or the list itself."""
    listed = read_rows(rows)
    with open_client(url) as client:
        answer = client.models.predict(name, listed, alias=alias, version=version, threshold=threshold)
        for prediction in answer["predictions"]:
            print(json.dumps(prediction, ensure_ascii=False))


@app.command()
def download(
    name: ModelName,
    output: Annotated[Path, typer.Argument(help="The file to write: .safetensors, .npz or .onnx.")],
    alias: Alias = None,
    version: Version = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Write a model's file; .onnx has the preprocessing in it."""
    formats: dict[str, Literal["safetensors", "npz", "onnx"]]
    formats = {".safetensors": "safetensors", ".npz": "npz", ".onnx": "onnx"}
    if output.suffix.lower() not in formats:
        fail(f"{output} says no format; end its name in {' or '.join(formats)}")
    with open_client(url) as client:
        client.models.download(name, output, alias=alias, version=version, format=formats[output.suffix.lower()])


@app.command()
def card(name: ModelName, alias: Alias = None, version: Version = None, url: Url = DEFAULT_URL) -> None:
    """Print what a version learned from, how well it does and where not to trust it, as Markdown."""
    with open_client(url) as client:
        print(client.models.card_markdown(name, alias=alias, version=version), end="")
