"""A cell of a table as people write it, and what it says in the types that JSON has."""

from dataclasses import dataclass
from math import nan
from typing import Literal

Json = str | float | int | bool | None
Fate = Literal["known", "missing", "unseen", "unreadable"]

MARKERS = ("", " ", "NA", "n/a", "NaN", "nan", "null", "None", "?", "-", "n.a.", r"\N", ".", "#N/A", "<NA>")
"""What stands for a missing cell in a CSV file, in one program or another."""


@dataclass(frozen=True)
class Cell:
    """The text of a cell, the JSON value that says the same, and what a model is to make of it."""

    text: str
    plain: Json
    fate: Fate = "known"
    number: float = nan  # what it is to a column of numbers or of truth values

    @property
    def trimmed(self) -> str:
        """The text for software that compares letter by letter."""
        return self.text.strip()


def missing(text: str = "") -> Cell:
    """A cell that stands for nothing."""
    return Cell(text, None, "missing")
