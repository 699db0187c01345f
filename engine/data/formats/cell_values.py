"""What one cell of text stands for: nothing, yes or no, a number, a date, or a word."""

import math
import re

# As spreadsheets, databases, R, Python and the UCI archive write what is not known; compared in lower case.
MISSING = frozenset(("", "?", "na", "n/a", "#n/a", "<na>", "nan", "null", "none"))
YES_NO = {"true": True, "false": False}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE | re.ASCII)
_CODE = re.compile(r"0\d+", re.ASCII)  # 007 and 02134 are names that look like numbers
_TIME = r"([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*([AaPp][Mm])?(Z|[+-]\d{2}:?\d{2})?)?"
_DATE = re.compile(
    rf"(\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}|\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{2,4}}"
    rf"|\d{{1,2}}[ -][A-Za-z]{{3,9}}[ -]\d{{2,4}}|[A-Za-z]{{3,9}} \d{{1,2}},? \d{{4}}){_TIME}",
    re.ASCII,
)


def is_missing(cell: str) -> bool:
    return cell.strip().lower() in MISSING


def number_in(cell: str) -> float | None:
    """The number that the cell is, infinity where it says so or is too large; None for anything else."""
    text = cell.strip()
    if _NUMBER.fullmatch(text) and not _CODE.fullmatch(text):
        return float(text)
    return math.inf if _INFINITE.fullmatch(text) else None


def is_date(cell: str) -> bool:
    return _DATE.fullmatch(cell.strip()) is not None


def shown(text: str) -> str:
    """A quotation short enough for a message."""
    return repr(text if len(text) <= 40 else text[:40] + "…")
