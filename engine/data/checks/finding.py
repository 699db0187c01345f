"""Something about the data that a person should know before trusting a model, and what to do about it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Severity = Literal["info", "warning", "serious", "refused"]
SEVERITIES: tuple[Severity, ...] = ("refused", "serious", "warning", "info")
EXAMPLES = 3


class Settle(BaseModel):
    """What settles a finding, ready to be sent."""

    model_config = ConfigDict(frozen=True)

    job: JsonValue = Field(
        None,
        description="a merge patch of the job; null where it is not the job that settles it",
        examples=[{"data": {"columns": {"price": {"type": "number", "decimal": ","}}}}],
    )
    upload: str | None = Field(
        None, description="a query parameter of a new upload of the file", examples=["header=false"]
    )


class Finding(BaseModel):
    """One sentence, and another one on what to do."""

    model_config = ConfigDict(frozen=True)

    check: str = Field(description="which check found it", examples=["leaked_rows"])
    severity: Severity = Field(
        description="info: good to know; warning: look at it; serious: figures will mislead; refused: no job is taken"
    )
    message: str
    advice: str = Field(description="what to do about it")
    columns: tuple[str, ...] = Field((), description="the columns that it is about")
    count: int | None = Field(None, description="how many cells, rows or labels it is about, where they are counted")
    examples: tuple[str, ...] = Field((), description="up to three of them")
    settle: Settle | None = Field(None, description="what settles it, where one thing does")


def listed(names: list[str], most: int = 5) -> str:
    """Some names, quoted, and how many there are beyond them."""
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def settled_by(column: str, option: dict[str, JsonValue]) -> Settle:
    """What a job says of the column in `data.columns`."""
    return Settle(job={"data": {"columns": {column: option}}})


def percent(share: float) -> str:
    """A share for a sentence: 12 %, 0.3 %."""
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"
