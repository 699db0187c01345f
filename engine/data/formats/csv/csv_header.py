"""Whether the first row of a table names its columns or is an example already, and what else stands in its place.

A name stands above values of another kind, or above words that it is none of; a value stands among its like.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from engine.data.formats.csv.csv_dialect import heads, kind_of
from engine.data.reading.cell_values import is_missing, number_in, shown
from engine.errors import DataError

LOOKED_AT = 512  # columns
MADE_UP = "column_{}"
UNNAMED = re.compile(r"Unnamed: 0(\.\d+)?")  # pandas, of an index that was written and read again
_DIGITS = re.compile(r"[0-9]+")
_BRACKETED = re.compile(r"\[.*\]|\(.*\)")
_UNIT = re.compile(
    r"\[.*\]|\(.*\)|[ymdhs:/. -]{4,}|[%°$€£Ω‰]|°[CFK]"
    r"|([cmdknµμu]?m|in|ft|mi|yd|[kmµμu]?g|lbs?|oz|t|[mµμun]?s|min|hr?s?|d|yrs?|[mdc]?l|K|C|F|[hkM]?Pa|m?bar|psi"
    r"|[mk]?V|m?A|[kM]?W|k?Wh|k?J|k?N|[kMG]?Hz|m?mol|pp[mb]|dB|lu?x|rpm|bpm|[mk]ph|USD|EUR|GBP|px|pt|pc|deg[CFK]?|rad)[²³23]?"
    r"|days?|years?|hours?|mins?|secs?|months?|weeks?|inch(es)?|feet|miles|mmHg|units?|count|ratio|degrees?|percent"
    r"|[A-Za-zµμ]{1,5}[²³23]?[/·*][A-Za-zµμ\d²³]{1,6}",
    re.IGNORECASE,
)

Verdict = Literal["names", "data", "unclear"]


def verdict(first: Sequence[str], below: Sequence[Sequence[str]]) -> Verdict:
    """Whether a first row holds names or data, by rows of as many cells below it."""
    others = [row[:LOOKED_AT] for row in below if list(row) != list(first)]
    first = first[:LOOKED_AT]
    own = [row[0] for row in others if row]
    if heads(first, others) or (not first[0].strip() and are_row_numbers(own)):
        return "names"
    counted = _are_counted(first)
    if counted and all(number_in(cell) is not None for cell in first):
        return "names"
    alike = unlike = 0
    numbers = words = False  # are there columns of numbers; is a number above nothing but words
    for cell, column in zip(first, zip(*others, strict=False), strict=False):
        known = [other.strip() for other in column if not is_missing(other)]
        if not known or is_missing(cell):
            continue
        if all(kind_of(other) == "number" for other in known):
            numbers = True
            like = _is_among(cell, known) and not counted
        elif kind_of(cell) == "number" and all(kind_of(other) == "word" for other in known):
            like, words = False, True
        elif len(set(known)) <= len(known) / 2:  # words that come again
            like = cell.strip() in known
        else:
            continue
        alike += like
        unlike += not like
    if first and all(number_in(cell) is not None for cell in first if cell.strip()):
        return "names" if words else "data" if alike > unlike else "unclear"
    if alike > unlike and (numbers or not unlike):
        return "data"
    return "names" if unlike else "unclear"


def _are_counted(first: Sequence[str]) -> bool:
    """Whether the numbers of a row are 0, 1, 2 … or 2019, 2020, 2021 …, as data frames and years are named."""
    numbers = [number for number in map(number_in, first) if number is not None]
    return len(numbers) > 2 and all(later - earlier == 1 for earlier, later in pairwise(numbers))


def made_up(columns: int) -> list[str]:
    """Names of columns that have none."""
    return [MADE_UP.format(place) for place in range(1, columns + 1)]


def only_numbers(first: Sequence[str], line: int) -> DataError:
    """The refusal of a first row that may be names, and may be data."""
    return DataError(
        f"line {line} holds only numbers, such as {shown(first[0])}; a CSV dataset begins with a header row. Send "
        "header=true if these are the names, header=false if they are data"
    )


def are_row_numbers(cells: Sequence[str]) -> bool:
    """Whether these are whole numbers from 0 on, none of them twice."""
    return bool(cells) and all(c.strip().isdecimal() and c.isascii() for c in cells) and len(set(cells)) == len(cells)


def are_units(cells: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether a row below the header holds units: a unit or nothing above numbers, nothing above words."""
    if len(cells) < 2 or len(below) < 2:
        return False
    units = 0
    for cell, column in zip(cells, zip(*below, strict=False), strict=False):
        text, known = cell.strip(), [other.strip() for other in column if not is_missing(other)]
        if not text or text in ("-", "–"):
            continue
        if not known or is_missing(text):
            return False
        if all(kind_of(other) == "number" for other in known):
            if _UNIT.fullmatch(text) is None:
                return False
            units += 1
        elif _BRACKETED.fullmatch(text) is None:
            return False
    return units > 0


def _is_among(cell: str, others: Sequence[str]) -> bool:
    """Whether a number may be one of a column: a fraction, or within the others; or, as a date, written alike."""
    number = number_in(cell)
    known = [n for n in map(number_in, others) if n is not None]
    if number is None or not known:
        return _DIGITS.sub("0", cell.strip()) in {_DIGITS.sub("0", other) for other in others}
    if number.is_integer() and "." not in cell and all("." in other for other in others):
        return False
    return not number.is_integer() or min(known) <= number <= max(known)
