"""`trainshed job check`: backpropagation against finite differences."""

from typing import Annotated

import typer
from rich.console import Console

from trainshed.cli.failure import fail
from trainshed.cli.options import JobId, Url
from trainshed.cli.session import open_client
from trainshed.client import DEFAULT_URL
from trainshed.client.types import JsonValue


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
    with open_client(url) as client:
        asked = client.gradient_checks.request(job_id, wanted)
        made = client.gradient_checks.wait(job_id, asked["number"])
    if made["error"] is not None:
        fail(f"gradient check {made['number']} failed: {made['error']['message']}")
    if (report := made["report"]) is not None:
        from trainshed.gradient_table import make_gradient_table

        Console(highlight=False, soft_wrap=True).print(make_gradient_table(report))
        if report["verdict"] == "wrong":
            raise typer.Exit(1)
