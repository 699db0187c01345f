"""Dates in ONNX: a graph reads no text, so it takes the days since 1970-01-01, and takes them apart by arithmetic.

Year, month and day follow from the days as in Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in
March, so that a leap day is the last of its year, and 400 of them, an era, always have 146 097 days.
"""

import numpy as np

from engine.data.encoding.column_options import DatePart
from engine.data.encoding.date_encoder import CALENDAR, DateEncoder
from engine.export.onnx_graph import Graph

ERA = 146_097  # days
TO_MARCH = 719_468  # days from 0000-03-01 to 1970-01-01


def date_inputs(graph: Graph, encoder: DateEncoder) -> str:
    """The inputs that one column of days (rows × 1, NaN where there is none) becomes, before they are scaled."""
    given = graph.input(encoder.name, np.float64, [1])
    missing = graph.node("IsNaN", given)
    days = graph.node("Where", missing, graph.constant(np.array(encoder.fill_with)), given)
    calendar = [part for part in encoder.parts if part in CALENDAR]
    parts = [_part(graph, days, part) for part in encoder.parts if part not in CALENDAR]
    parts += [_one_hot(graph, _part(graph, days, part), encoder.shares(part)) for part in calendar]
    if encoder.indicator:
        parts.append(graph.cast(missing, np.float64))
    return graph.node("Concat", *parts, axis=1)


def _part(graph: Graph, days: str, part: DatePart) -> str:
    """The same as `part_of`, by nodes."""

    def number(value: float) -> str:
        return graph.constant(np.array(float(value)))

    def add(value: str, other: float | str) -> str:
        return graph.node("Add", value, other if isinstance(other, str) else number(other))

    def minus(value: str, other: str) -> str:
        return graph.node("Sub", value, other)

    def times(value: str, factor: float) -> str:
        return graph.node("Mul", value, number(factor))

    def over(value: str, divisor: int) -> str:
        return graph.node("Floor", graph.node("Div", value, number(divisor)))

    whole = graph.node("Floor", days)
    match part:
        case "days":
            return days
        case "hour":
            return times(minus(days, whole), 24)
        case "weekday":
            from_monday = add(whole, 3)  # 1970-01-01 was a Thursday
            return minus(from_monday, times(over(from_monday, 7), 7))
        case _:
            pass
    since = add(whole, TO_MARCH)
    era = over(since, ERA)
    day = minus(since, times(era, ERA))  # of the era
    leap_free = add(minus(minus(day, over(day, 1460)), over(day, ERA - 1)), over(day, 36_524))
    year = over(leap_free, 365)  # of the era
    before = minus(add(times(year, 365), over(year, 4)), over(year, 100))
    of_year = minus(day, before)
    month = over(add(times(of_year, 5), 2), 153)  # March is 0
    if part == "day":
        return add(minus(of_year, over(add(times(month, 153), 2), 5)), 1)
    late = graph.node("Less", number(9.5), month)  # January and February are the next year's
    if part == "month":
        return graph.node("Where", late, add(month, -10), add(month, 2))
    return add(add(times(era, 400), year), graph.cast(late, np.float64))


def _one_hot(graph: Graph, value: str, shares: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    """A row of 0 and 1 for each value that training met, the shares of all of them for any other."""
    meanings = np.where((shares > 0)[:, np.newaxis], np.eye(len(shares)), shares)
    found = graph.node("Gather", graph.constant(meanings), graph.cast(value, np.int64))
    return graph.node("Reshape", found, graph.constant(np.array([-1, len(shares)])))
