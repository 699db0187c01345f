"""The command `trainshed`: a group for each noun of the API, beside what starts a service."""

from importlib.metadata import version as installed

import typer

from trainshed.cli import batches, datasets, jobs, models, parameters, presets, service
from trainshed.cli.options import Url
from trainshed.cli.session import open_client
from trainshed.client import DEFAULT_URL

PANEL = "Ask a service"

app = typer.Typer(
    help="Train deep networks by sending JSON.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback is for whoever reports it: as Python prints it
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(jobs.app, name="job", rich_help_panel=PANEL)
app.add_typer(datasets.app, name="dataset", rich_help_panel=PANEL)
app.add_typer(parameters.app, name="parameters", rich_help_panel=PANEL)
app.add_typer(models.app, name="model", rich_help_panel=PANEL)
app.add_typer(batches.app, name="batch", rich_help_panel=PANEL)
app.add_typer(presets.app, name="preset", rich_help_panel=PANEL)


@app.command(rich_help_panel=PANEL)
def workers(url: Url = DEFAULT_URL) -> None:
    """List the workers that were seen lately, and what they do."""
    with open_client(url) as client:
        for one in client.workers.list():
            print(
                f"{one['host']}:{one['pid']}  {','.join(one['queues'])}  {one['device'] or ''}  {one['job'] or 'idle'}"
            )


app.add_typer(service.app)


@app.command("version", rich_help_panel="This command")
def show_version() -> None:
    """Print the version."""
    print(installed("trainshed-client"))  # the service's, too: both are of one checkout
