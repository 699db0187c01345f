"""JSON that a person typed or piped in."""

import json
from collections.abc import Mapping
from typing import Any

import typer

from trainshed.cli.failure import fail
from trainshed.client.types import JsonValue


def read_json(file: typer.FileText) -> JsonValue:
    """What the file holds, or the end of the command."""
    try:
        document: JsonValue = json.load(file)
    except ValueError as error:
        fail(f"{file.name} is not JSON: {error}")
    return document


def read_object(file: typer.FileText) -> Mapping[str, JsonValue]:
    """The object that the file holds, or the end of the command."""
    document = read_json(file)
    if not isinstance(document, dict):
        fail(f'{file.name} must hold a JSON object, such as {{"data": {{"train": "digits", …}}}}')
    return document


def read_rows(file: typer.FileText) -> list[Any]:
    """The rows that the file holds; the service says which of them is none, and why."""
    document = read_json(file)
    listed = document.get("rows") if isinstance(document, dict) else document
    if not isinstance(listed, list):
        fail(f'{file.name} holds no rows; write {{"rows": [[…], …]}} or [[…], …]')
    return listed


def show(document: object) -> None:
    """Print it as JSON to read."""
    print(json.dumps(document, indent=2, ensure_ascii=False))
