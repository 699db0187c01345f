"""What a format guessed about a file, so that whoever sent it can see the guess and settle it."""

from typing import Self

from pydantic import Field

from engine.component import Component

MOST_LINES = 3
"""Lines that a guess names."""


class Guess(Component):
    """A guess: what was guessed, in a sentence what was made of the file, the lines that show it, how to settle it."""

    what: str = Field(description="what was guessed, such as header, delimiter or encoding", examples=["header"])
    detail: str = Field(description="what was taken for what, and what to send if it is something else")
    lines: tuple[int, ...] = Field((), description="lines of the file that show it, the first being 1")
    settle: str = Field("", description="the query parameter that settles it", examples=["header=false"])

    @classmethod
    def of(cls, what: str, detail: str, settle: str = "", lines: tuple[int, ...] = ()) -> Self:
        """A guess that names the first few of its lines."""
        return cls(what=what, detail=detail, lines=lines[:MOST_LINES], settle=settle)
