"""Date format: in which order the day, the month and the year of a column's dates are written."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from engine.component import Component

Order = Literal["ymd", "dmy", "mdy"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ORDERS: tuple[Order, ...] = ("dmy", "mdy")  # where the year comes last
MILLISECONDS = 86_400_000  # of a day
TO_EPOCH = 719_162  # days from 0001-01-01 to 1970-01-01
PIVOT = 69  # of years of two digits, as in POSIX: 69 is 1969, 68 is 2068
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_TIME = (
    r"([T ](?P<hour>\d{1,2}):(?P<minute>\d{2})(:(?P<second>\d{2})(\.(?P<fraction>\d+))?)?"
    r"\s*(?P<half>[AaPp][Mm])?\s*(?P<zone>Z|[+-]\d{2}:?\d{2})?)?"
)
_DATES = tuple(
    re.compile(pattern + _TIME, re.ASCII)
    for pattern in (
        r"(?P<year>\d{4})([-/.])(?P<month>\d{1,2})(\2(?P<day>\d{1,2}))?",
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})",
        r"(?P<first>\d{1,2})(?P<sign>[-/.])(?P<second_>\d{1,2})(?P=sign)(?P<year>\d{4}|\d{2})",
        r"(?P<day>\d{1,2})[ -](?P<name>[A-Za-z]{3,9})[ -](?P<year>\d{4}|\d{2})",
        r"(?P<name>[A-Za-z]{3,9}) (?P<day>\d{1,2}),? (?P<year>\d{4})",
    )
)


class DateFormat(Component):
    """Date format: the order of day and month where the year comes last, which 03/04/2024 does not say itself.

    Dates that begin with the year, and those that name their month in English, are read in any order.
    """

    order: Order = Field("ymd", description="dmy, mdy, or ymd where the year always comes first.")

    def days(self, text: str) -> float | None:
        """The days since 1970-01-01, with the time of day as their fraction, in UTC; None for what is no date."""
        text = text.strip()
        found = next((match for pattern in _DATES if (match := pattern.fullmatch(text))), None)
        if found is None:
            return None
        parts = found.groupdict()
        year = int(parts["year"])
        if len(parts["year"]) == 2:
            year += 1900 if year >= PIVOT else 2000
        if parts.get("first"):
            if self.order == "ymd":
                return None
            day, month = parts["first"], parts["second_"]
            if self.order == "mdy":
                day, month = month, day
        elif name := parts.get("name"):
            day, month = parts["day"], _month(name)
        else:
            day, month = parts["day"] or 1, parts["month"]
        try:
            date = datetime(year, int(month), int(day), tzinfo=UTC)
            return (date - EPOCH + _time(parts)) / DAY
        except ValueError:  # the 30th of February, 25 o'clock
            return None


def moment_of(days: float) -> int:
    """The milliseconds since 0001-01-01 of days since 1970-01-01: what dates are stored as where they are very many."""
    return max(0, round((days + TO_EPOCH) * MILLISECONDS))


def days_since(moments: NDArray[np.int64]) -> NDArray[np.float64]:
    """The days since 1970-01-01 of stored moments, NaN for those below 0, which are missing."""
    days: NDArray[np.float64] = np.where(moments < 0, np.nan, moments / MILLISECONDS - TO_EPOCH)
    return days


def moment_text(moment: int) -> str:
    """A stored moment in ISO 8601, without a time where it is midnight."""
    text = (datetime(1, 1, 1) + timedelta(milliseconds=moment)).isoformat(sep=" ")
    return text.removesuffix(" 00:00:00")


def guess_date_format(texts: Iterable[str]) -> DateFormat | None:
    """The format of some dates, as all of them together tell; None where both orders read them, but otherwise."""
    unclear = [text for text in texts if DateFormat().days(text) is None]
    read = {order: [DateFormat(order=order).days(text) for text in unclear] for order in ORDERS}
    counts = {order: sum(day is not None for day in days) for order, days in read.items()}
    if not any(counts.values()):
        return DateFormat()
    if counts["dmy"] == counts["mdy"] and read["dmy"] != read["mdy"]:
        return DateFormat(order="dmy") if all("." in text for text in unclear) else None
    return DateFormat(order="mdy" if counts["mdy"] > counts["dmy"] else "dmy")


def _month(name: str) -> int:
    """The number of a month by its English name or the first letters of it; 0 for any other word."""
    word = name.lower()
    return next((number for number, month in enumerate(MONTHS, start=1) if month.startswith(word)), 0)


def _time(parts: dict[str, str | None]) -> timedelta:
    """The time of day in UTC; ValueError where there is no such time."""
    if parts["hour"] is None:
        return timedelta(0)
    hour, minute, second = (int(parts[name] or 0) for name in ("hour", "minute", "second"))
    if parts["half"]:
        if not 1 <= hour <= 12:
            raise ValueError("an hour of a half day is 1 to 12")
        hour = hour % 12 + 12 * (parts["half"].lower() == "pm")
    if hour > 23 or minute > 59 or second > 60:
        raise ValueError("there is no such time")
    time = timedelta(hours=hour, minutes=minute, seconds=second + float(f"0.{parts['fraction'] or 0}"))
    zone = parts["zone"]
    if zone and zone != "Z":
        ahead = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
        time -= ahead if zone[0] == "+" else -ahead
    return time
