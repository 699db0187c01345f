"""What may be told about a table in a file, of CSV most of all, so that nothing about it has to be guessed."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StrictBool

from engine.component import Component
from engine.data.formats.csv.csv_encoding import codec_of

MARKS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "pipe": "|", "space": " ", "hash": "#", "none": ""}
NAMED = {mark: name for name, mark in reversed(MARKS.items())}
MOST_MARKERS = 64


def _mark(told: object) -> object:
    """The character that a name stands for."""
    return MARKS.get(told, told) if isinstance(told, str) else told


def _line(told: object) -> object:
    if isinstance(told, str):
        known = {"true": True, "false": False}.get(told.strip().lower())
        return known if known is not None else int(told) if told.strip().isdecimal() else told
    return told


def _words(told: object) -> object:
    return tuple(word.strip() for word in told.split(",")) if isinstance(told, str) else told


def _codec(told: object) -> object:
    if isinstance(told, str):
        codec_of(told)
    return told


class MissingOption(Component):
    """Of any table: the spellings of missing; None takes those that are usual in files of its kind."""

    missing: Annotated[tuple[str, ...], Field(max_length=MOST_MARKERS), BeforeValidator(_words)] | None = Field(
        None, description="how a missing cell is spelled, apart by commas; a blank one is missing, too"
    )

    @property
    def told_missing(self) -> frozenset[str] | None:
        """Those spellings in lower case; None where they were not told."""
        return None if self.missing is None else frozenset(word.lower() for word in self.missing)


class HeaderOptions(MissingOption):
    """Of a table whose first rows may be its header: where that is, and what stands beside it."""

    header: Annotated[StrictBool | Annotated[int, Field(ge=1, le=1_000_000)] | None, BeforeValidator(_line)] = Field(
        None, description="true: the first row holds the names; false: it is data; a number: the line of the header"
    )
    index: Literal["keep", "drop"] | None = Field(
        None, description="what becomes of a first column without a name: by default row numbers are dropped"
    )
    units: Literal["keep", "drop"] | None = Field(None, description="what becomes of the line below the header")


class CsvOptions(HeaderOptions):
    """Of a CSV file: its header, delimiter, encoding, comments, escapes, index, units and spellings of missing.

    What is None is found out, and said where it was guessed.
    """

    delimiter: Annotated[str, Field(pattern=r'^[^\r\n"\x00\\]$'), BeforeValidator(_mark)] | None = Field(
        None, description="what sets cells apart: one character, or comma, semicolon, tab, bar, space"
    )
    encoding: Annotated[str, Field(max_length=40), BeforeValidator(_codec)] | None = Field(
        None, description="such as utf-8, utf-16, windows-1252, iso-8859-1"
    )
    comment: Annotated[str, Field(pattern=r'^[^\r\n"\x00]?$'), BeforeValidator(_mark)] | None = Field(
        None, description="what a line that is none of the table begins with: one character, hash, or none"
    )
    escape: Literal["backslash", "none"] | None = Field(None, description="what stands before a quote in a cell")
