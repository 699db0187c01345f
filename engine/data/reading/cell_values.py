"""What one cell of text stands for by itself: nothing, yes or no, a plain number, a date."""

import math
import re
from decimal import Decimal

# As spreadsheets, databases, R, Python and the UCI archive write what is not known; compared trimmed, in lower case.
MISSING = frozenset(("", "?", "na", "n/a", "n.a.", "#n/a", "<na>", "nan", "null", "none", "\\n", "-", "."))
YES_NO = {"true": True, "false": False}
EXACT = 1 << 53  # beyond, float64 does not tell integers apart
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE | re.ASCII)
_CODE = re.compile(r"0\d+|\d{2,}[eE]\d+", re.ASCII)  # 007 and 655e38 are names that look like numbers
_PLAIN = re.compile(r"[+-]?(0|[1-9]\d*)?(\.\d*)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_TIME = r"([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*([AaPp][Mm])?(Z|[+-]\d{2}:?\d{2})?)?"
_DATE = re.compile(
    rf"(\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}|\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{2,4}}"
    rf"|\d{{1,2}}[ -][A-Za-z]{{3,9}}[ -]\d{{2,4}}|[A-Za-z]{{3,9}} \d{{1,2}},? \d{{4}}){_TIME}",
    re.ASCII,
)


def is_missing(cell: str) -> bool:
    return cell.strip().lower() in MISSING


def number_in(cell: str) -> float | None:
    """The number that the cell is, infinity where it says so or is too large; None for anything else.

    An integer that float64 cannot hold is none: it would become another one.
    """
    text = cell.strip()
    if _NUMBER.fullmatch(text) and not _CODE.fullmatch(text):
        if len(text) > 15 and _INTEGER.fullmatch(text) and is_beyond_exact(text):
            return None
        return float(text)
    return math.inf if _INFINITE.fullmatch(text) else None


def is_code(text: str) -> bool:
    """Whether a text is a name that looks like a number: 007, 655e38."""
    return _CODE.fullmatch(text) is not None


def is_infinite(cell: str) -> bool:
    """Whether the cell says that it is infinite; digits that are too many for float64 do not."""
    return _INFINITE.fullmatch(cell.strip()) is not None


def is_beyond_exact(integer: str) -> bool:
    """Whether the text of an integer says one that float64 may not hold."""
    digits = integer.lstrip("+-0")
    return len(digits) > 16 or (len(digits) == 16 and int(digits) > EXACT)


def plain_value(text: str) -> Decimal | None:
    """The exact value of a plain number without leading zeros or exponent; None for anything else."""
    if not _PLAIN.fullmatch(text) or not any(letter.isdigit() for letter in text):
        return None
    return Decimal(text)


def number_label(number: float) -> str:
    """The shortest plain text of a number: no point without a fraction, no exponent."""
    if isinstance(number, int) or number == int(number):
        return str(int(number))
    text = repr(number)
    return format(Decimal(text), "f") if "e" in text else text


def is_shortest(cell: str) -> bool:
    """Whether a cell is spelled as `number_label` spells its number."""
    number = number_in(cell)
    return number is not None and math.isfinite(number) and number_label(number) == cell


def is_date(cell: str) -> bool:
    return _DATE.fullmatch(cell.strip()) is not None


def shown(text: str) -> str:
    """A quotation short enough for a message."""
    return repr(text if len(text) <= 40 else text[:40] + "…")
