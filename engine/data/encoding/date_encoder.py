"""Dates as inputs: taken apart into the year, the month, the weekday and the days that have passed."""

from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.data.column_types import AnyColumnType, CategoryType, TextType
from engine.data.encoding.column_encoder import MOST_CELLS, ColumnEncoder, Inputs, Read, Values, shown
from engine.data.encoding.column_options import DateColumn, DatePart
from engine.data.encoding.conversions import texts_of
from engine.data.reading.cell_reading import CellReading
from engine.data.reading.cell_values import number_label
from engine.data.reading.date_format import MONTHS, DateFormat, days_since, guess_date_format
from engine.data.reading.unreadable import UnreadableCells
from engine.errors import SpecError
from engine.json_pointer import pointer

Days = NDArray[np.float64]
"""Since 1970-01-01 in UTC, with the time of day as the fraction; NaN where nothing is there."""

CALENDAR: Mapping[DatePart, tuple[str, ...]] = {
    "month": tuple(month.capitalize() for month in MONTHS),
    "weekday": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
"""Parts that are an input for each of their values, in this order."""


class DateEncoder(ColumnEncoder):
    """Some parts of a date: numbers, and an input for each month or weekday; only numbers are scaled.

    A month or a weekday that training never met is no input's 1 but the training rows' share of each, so that it has no
    influence of its own.
    """

    type: Literal["date"] = "date"
    parts: tuple[DatePart, ...]
    form: DateFormat = DateFormat()
    low: float | None = None  # the first and the last day of the training rows
    high: float | None = None
    months: tuple[float, ...] = ()  # the share of training rows in each, January first
    weekdays: tuple[float, ...] = ()  # the same, Monday first

    @property
    def width(self) -> int:
        return len(self.names())

    @property
    def scaled(self) -> int:
        return len(self._numbers)

    @cached_property
    def _numbers(self) -> tuple[DatePart, ...]:
        return tuple(part for part in self.parts if part not in CALENDAR)

    @cached_property
    def _calendar(self) -> tuple[DatePart, ...]:
        return tuple(part for part in self.parts if part in CALENDAR)

    def option(self) -> DateColumn:
        """What a spec would say of the column."""
        return DateColumn(parts=self.parts, order=self.form.order, unreadable=self._unreadable)

    @property
    def _unreadable(self) -> Literal["refuse", "missing"]:
        return "missing" if self.reading.lenient else "refuse"

    def names(self) -> list[str]:
        """What each input is called."""
        names = [f"{self.name} {part}" for part in self._numbers]
        names += [f"{self.name} {part} = {value}" for part in self._calendar for value in CALENDAR[part]]
        return names + [f"{self.name} is missing"] * self.indicator

    def read(self, values: Values, held: AnyColumnType) -> Read:
        """Stored values as days; raises UnreadableCells for what is no date."""
        return as_days(self.name, values, held, self.form, self.reading)

    def encode(self, read: Read, out: Inputs) -> None:
        """Put the parts of some days into `out`, (rows, width)."""
        missing = np.isnan(read)
        days = np.where(missing, self.fill_with, read)
        for place, part in enumerate(self._numbers):
            out[:, place] = part_of(days, part)
        place = self.scaled
        for part in self._calendar:
            values, shares = part_of(days, part).astype(np.intp), self.shares(part)
            inputs = out[:, place : place + len(shares)]
            inputs[:] = np.where((shares[values] > 0)[:, np.newaxis], np.eye(len(shares))[values], shares)
            place += len(shares)
        if self.indicator:
            out[:, -1] = missing

    def unseen(self, read: Read) -> NDArray[np.bool_]:
        """Which rows have a month or a weekday that training never met, where that is an input."""
        days = np.where(np.isnan(read), self.fill_with, read)
        found = np.zeros(len(read), bool)
        for part in self._calendar:
            found |= self.shares(part)[part_of(days, part).astype(np.intp)] == 0
        return found

    def shares(self, part: DatePart) -> NDArray[np.float64]:
        """The share of training rows of each month or weekday."""
        return np.array(self.months if part == "month" else self.weekdays)

    def outside(self, read: Read) -> NDArray[np.bool_]:
        """Which days lie before or behind those of training by more than these span."""
        if self.low is None or self.high is None:
            return np.zeros(len(read), bool)
        span = self.high - self.low
        found: NDArray[np.bool_] = (read < self.low - span) | (read > self.high + span)
        return found

    def _meaning(self, value: Any) -> float | None:
        return self.form.days(value) if isinstance(value, str) else None

    def _complaint(self, value: Any) -> str:
        orders = {"ymd": "2024-12-31", "dmy": "31/12/2024", "mdy": "12/31/2024"}
        said = number_label(value) if isinstance(value, int | float) and not isinstance(value, bool) else shown(value)
        return f"holds {said}; it takes dates such as {orders[self.form.order]!r}"


def part_of(days: Days, part: DatePart) -> Days:
    """A part of each day: months and weekdays count from 0, January and Monday."""
    whole = np.floor(days)
    dates = whole.astype("datetime64[D]")
    match part:
        case "days":
            return days
        case "hour":
            return (days - whole) * 24
        case "weekday":
            return (whole + 3) % 7  # 1970-01-01 was a Thursday
        case "year":
            return dates.astype("datetime64[Y]").astype(np.float64) + 1970
        case "month":
            return dates.astype("datetime64[M]").astype(np.float64) % 12
        case "day":
            found: Days = (dates - dates.astype("datetime64[M]")).astype(np.float64) + 1
            return found


def as_days(name: str, values: Values, held: AnyColumnType, form: DateFormat, reading: CellReading) -> Days:
    """Stored values as days, NaN where they are missing; UnreadableCells for what is no date."""
    if isinstance(held, TextType) and held.form is not None:
        return days_since(values)
    places, texts = texts_of(name, values, held)
    days, unreadable = _days_of(form, reading, texts)
    if unreadable.any() and (rows := np.flatnonzero(unreadable[places])).size:
        cells = {int(row): f"holds {shown(texts[places[row]])}; it takes dates" for row in rows[:MOST_CELLS]}
        raise UnreadableCells(name, cells, int(rows.size))
    found: Days = days[places]  # the last entry is that of what is missing
    return found


def date_encoder(
    name: str, days: Days, option: DateColumn, form: DateFormat, reading: CellReading, *, indicator: bool
) -> DateEncoder:
    """The encoder that the days of training rows teach; the median day stands in for a missing one."""
    present = days[~np.isnan(days)]
    if not present.size:
        present = np.zeros(1)
    shares = {
        part: tuple(
            (np.bincount(part_of(present, part).astype(np.intp), minlength=len(values)) / len(present)).tolist()
        )
        for part, values in CALENDAR.items()
        if part in option.parts
    }
    return DateEncoder(
        name=name,
        reading=reading,
        parts=option.parts,
        form=form,
        fill_with=float(np.sort(present)[len(present) // 2]),
        indicator=indicator,
        low=float(present.min()),
        high=float(present.max()),
        months=shares.get("month", ()),
        weekdays=shares.get("weekday", ()),
    )


def date_format_of(name: str, held: AnyColumnType, option: DateColumn) -> DateFormat:
    """The format that the spec says, or all dates of the column together; SpecError where they leave it open."""
    if isinstance(held, TextType) and held.form is not None:
        if option.order not in (None, held.form.order):
            raise SpecError(
                pointer(["data", "columns", name, "order"]),
                f"column {name!r} was read in the order {held.form.order}, as all of its dates together tell",
            )
        return held.form
    if option.order is not None:
        return DateFormat(order=option.order)
    texts = held.labels or () if isinstance(held, CategoryType | TextType) else ()
    form = guess_date_format(texts)
    if form is None:
        example = next(text for text in texts if DateFormat().days(text) is None and DateFormat(order="dmy").days(text))
        raise SpecError(
            pointer(["data", "columns", name, "order"]),
            f"column {name!r} holds dates such as {shown(example)}, and none that tells days from months; say the "
            f'order: {{"{name}": {{"type": "date", "order": "dmy"}}}} for the day first, "mdy" for the month',
        )
    return form


@lru_cache(maxsize=256)
def _days_of(form: DateFormat, reading: CellReading, texts: tuple[str, ...]) -> tuple[Days, NDArray[np.bool_]]:
    """The day of every text, and which are none; one entry more, for what is missing."""
    days, unreadable = np.full(len(texts) + 1, np.nan), np.zeros(len(texts) + 1, bool)
    for place, text in enumerate(texts):
        if not reading.is_missing(text):
            found = form.days(text)
            days[place] = np.nan if found is None else found
            unreadable[place] = found is None and not reading.lenient
    return days, unreadable
