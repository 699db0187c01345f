"""Arguments and options that several commands take."""

from typing import Annotated

import typer

Url = Annotated[str, typer.Option("--url", envvar="TRAINSHED_URL", help="Where the service answers.")]
JobId = Annotated[str, typer.Argument(help="The job's id, as `submit` printed it.")]
JsonFile = Annotated[typer.FileText, typer.Argument(help="A JSON file, or - for the standard input.")]
ModelName = Annotated[str, typer.Argument(help="The model's name.")]
DatasetReference = Annotated[str, typer.Argument(help="The dataset's name, name@version or id.")]
Alias = Annotated[str | None, typer.Option(help="The version that this alias of the model means.")]
Version = Annotated[int | None, typer.Option(min=1, help="This version of the model.")]
Threshold = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="The probability from which on it is the second of two classes, or a label."),
]
Limit = Annotated[int, typer.Option(min=1, help="How many.")]
