"""`trainshed preset`: jobs from the textbook."""

from typing import Annotated

import typer

from trainshed.cli.failure import fail
from trainshed.cli.json_files import show
from trainshed.cli.options import Url
from trainshed.cli.session import open_client
from trainshed.client import DEFAULT_URL

app = typer.Typer(help="Jobs from the textbook, ready to be submitted.", no_args_is_help=True)


@app.command("list")
def list_presets(url: Url = DEFAULT_URL) -> None:
    """List the presets, each with what to look at."""
    with open_client(url) as client:
        for preset in client.presets.list():
            print(f"{preset['name']}: {preset['title']}. {preset['look_at']}")


@app.command("show")
def show_preset(name: Annotated[str, typer.Argument(help="As `list` prints it.")], url: Url = DEFAULT_URL) -> None:
    """Print the spec of a preset, as `trainshed job submit -` takes it."""
    with open_client(url) as client:
        presets = {preset["name"]: preset["spec"] for preset in client.presets.list()}
    if name not in presets:
        fail(f"there is no preset {name!r}; there are {', '.join(presets)}")
    show(presets[name])
