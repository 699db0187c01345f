"""Something about the data that a person should know before trusting a model, and what to do about it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Severity = Literal["info", "warning", "serious"]
SEVERITIES: tuple[Severity, ...] = ("serious", "warning", "info")


class Finding(BaseModel):
    """One sentence, and another one on what to do."""

    model_config = ConfigDict(frozen=True)

    check: str = Field(description="which check found it", examples=["leaked_rows"])
    severity: Severity = Field(description="info: good to know; warning: look at it; serious: figures will mislead")
    message: str
    advice: str = Field(description="what to do about it")
    columns: tuple[str, ...] = Field((), description="the columns that it is about")


def listed(names: list[str], most: int = 5) -> str:
    """Some names, quoted, and how many there are beyond them."""
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def percent(share: float) -> str:
    """A share for a sentence: 12 %, 0.3 %."""
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"
