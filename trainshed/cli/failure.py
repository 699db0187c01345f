"""How a command ends that cannot do what it should: with a line on stderr and an exit status."""

import sys
from typing import NoReturn

import typer

FAILED = 1
MISUSED = 2  # what was typed or set is wrong


def fail(message: str, status: int = FAILED) -> NoReturn:
    """Say so and end."""
    print(message, file=sys.stderr)
    raise typer.Exit(status)
