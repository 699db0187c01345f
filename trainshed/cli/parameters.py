"""`trainshed parameters`: where a network starts from."""

from pathlib import Path
from typing import Annotated

import typer

from trainshed.cli.options import Limit, Url
from trainshed.cli.session import open_client
from trainshed.client import DEFAULT_URL
from trainshed.client.types import ParameterSet

app = typer.Typer(help="Initial parameters, of this engine, PyTorch or Keras.", no_args_is_help=True)


@app.command()
def upload(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help=".npz or .safetensors")],
    name: Annotated[str | None, typer.Option(help="Their name; the file's, without its suffix, otherwise.")] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Store parameters for the initializer {"type": "given", "parameters": NAME}."""
    with open_client(url) as client:
        _say(client.parameters.upload(name or file.stem, file))


@app.command("list")
def list_parameters(limit: Limit = 20, url: Url = DEFAULT_URL) -> None:
    """List them, newest first."""
    with open_client(url) as client:
        for one in client.parameters.list(limit=limit):
            _say(one)


def _say(one: ParameterSet) -> None:
    shapes = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in one["tensors"].items())
    print(f"{one['id']}  {one['created_at']:.19}  {one['name']}  {shapes}")
