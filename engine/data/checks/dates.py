"""Columns of dates: cells that are none, and the order of day and month where it was guessed."""

from collections.abc import Iterator, Mapping

from engine.data.checks.finding import EXAMPLES, Finding, settled_by
from engine.data.column_types import CategoryType, TextType
from engine.data.encoding.column_options import AnyColumnOption, DateColumn
from engine.data.encoding.date_encoder import date_format_of
from engine.data.reading.cell_values import is_date
from engine.data.reading.date_format import DateFormat
from engine.errors import SpecError

SAYS = {"dmy": "the day first", "mdy": "the month first"}


def about_dates(
    name: str, held: CategoryType | TextType, cells: Mapping[str, int], option: AnyColumnOption | None
) -> Iterator[Finding]:
    """What is to be said of the cells of a column, counted by spelling, most of which are dates."""
    dates = {text: count for text, count in cells.items() if is_date(text)}
    odd = {text: count for text, count in cells.items() if text not in dates}
    if len(dates) < 2 or 2 * sum(dates.values()) < sum(cells.values()):
        return
    if odd and option is None:
        count, rows, examples = (
            sum(odd.values()),
            sum(cells.values()),
            sorted(odd, key=lambda text: -odd[text])[:EXAMPLES],
        )
        yield Finding(
            check="dates_and_words",
            severity="warning",
            columns=(name,),
            count=count,
            examples=tuple(examples),
            message=f"{name!r} holds dates, such as {next(iter(dates))!r}, but in {count} of {rows} cells "
            f"something else, such as {examples[0]!r}.",
            advice="Have it taken for dates, and such cells for missing values; as labels, dates say nothing of days "
            "to come.",
            settle=settled_by(name, {"type": "date", "unreadable": "missing"}),
        )
    if isinstance(option, DateColumn) and option.order is None:
        yield from _guessed_order(name, held, dates, option)


def _guessed_order(
    name: str, held: CategoryType | TextType, dates: Mapping[str, int], option: DateColumn
) -> Iterator[Finding]:
    """03/04/2024 does not say itself which is the month."""
    unclear = {text: count for text, count in dates.items() if DateFormat().days(text) is None}
    try:
        form = date_format_of(name, held, option) if unclear else DateFormat()
    except SpecError:  # the job is refused for it, and says how to settle it
        return
    if form.order == "ymd":
        return
    yield Finding(
        check="date_order",
        severity="info",
        columns=(name,),
        count=sum(unclear.values()),
        examples=tuple(unclear)[:EXAMPLES],
        message=f"The dates of {name!r}, such as {next(iter(unclear))!r}, were read with {SAYS[form.order]}, as all of "
        "them together tell.",
        advice="If so, nothing is left to do; if not, say the order.",
        settle=settled_by(name, {"type": "date", "parts": list(option.parts), "order": form.order}),
    )
