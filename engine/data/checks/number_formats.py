"""Columns of numbers that are not written plainly: how they were read, and whether they could be read otherwise."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from engine.data.checks.finding import EXAMPLES, Finding, Settle, listed, settled_by
from engine.data.checks.parts import spread
from engine.data.column_types import NumberType
from engine.data.reading.cell_values import number_label
from engine.data.reading.number_format import MEASURES, PLAIN, NumberFormat
from engine.data.table import Table

MOST_ROWS = 1 << 16  # that are looked at


def about_number_formats(table: Table, names: Sequence[str]) -> Iterator[Finding]:
    """One finding for all columns of a format; a warning for each that could be read as other numbers."""
    alike: dict[NumberFormat, dict[str, NumberType]] = {}
    for name in names:
        held = table.types[name]
        if isinstance(held, NumberType) and held.reading.number != PLAIN:
            form = held.reading.number
            other = None if held.labels is None else other_reading(form, held.labels)
            if other is None:
                alike.setdefault(form, {})[name] = held
            else:
                yield _doubtful(table, name, held, other)
    for form, columns in alike.items():
        yield _told(table, form, columns)


def _told(table: Table, form: NumberFormat, columns: Mapping[str, NumberType]) -> Finding:
    name, held = next(iter(columns.items()))
    count, examples = _cells(table, name, held)
    shown = f": {examples[0]!r} is {number_label(_number(form, examples[0]))}" if examples else ""
    whose = repr(name) if len(columns) == 1 else listed(list(columns))
    option = {"type": "number", **form.model_dump()}
    return Finding(
        check="number_format",
        severity="info",
        columns=tuple(columns),
        count=count,
        examples=examples,
        message=f"{whose} {'was' if len(columns) == 1 else 'were'} read as numbers with {described(form)}{shown}.",
        advice="If so, nothing is left to do; if not, say how they are written.",
        settle=Settle(job={"data": {"columns": dict.fromkeys(columns, option)}}),
    )


def _doubtful(table: Table, name: str, held: NumberType, other: NumberFormat) -> Finding:
    form = held.reading.number
    count, examples = _cells(table, name, held)
    doubted = next(label for label in held.labels or () if form.number(label) != other.number(label))
    one, another = (number_label(_number(each, doubted)) for each in (form, other))
    return Finding(
        check="number_format",
        severity="warning",
        columns=(name,),
        count=count,
        examples=examples,
        message=f"{name!r} was read as numbers with {described(form)}: {doubted!r} is {one}; with {described(other)} "
        f"it would be {another}, and no cell tells which of the two it is.",
        advice="If it is the second one, send what settles it; if it is the first one, say that instead.",
        settle=settled_by(name, {"type": "number", **other.model_dump()}),
    )


def other_reading(form: NumberFormat, labels: Sequence[str]) -> NumberFormat | None:
    """Another format that reads all of the same cells, some as other numbers; of amounts of money, which have two
    decimals, there is none."""
    if form.unit and form.unit not in MEASURES:
        return None
    for decimal, thousands in ((".", ","), (",", "."), (",", ""), (".", "")):
        other = NumberFormat.model_validate({**form.model_dump(), "decimal": decimal, "thousands": thousands})
        read = [(form.number(label), other.number(label)) for label in labels]
        if read and all(there is not None for _, there in read) and any(here != there for here, there in read):
            return other
    return None


def described(form: NumberFormat) -> str:
    """A number format in words."""
    said = []
    if form.decimal == ",":
        said.append("decimal commas")
    if form.thousands:
        said.append(f"thousands set apart by {form.thousands!r}")
    if form.unit:
        said.append(f"the unit {form.unit!r}")
    if form.multiplied:
        said.append("k, M or B for thousands, millions, billions")
    if form.accounting:
        said.append("the minus of accountants")
    return " and ".join(said) or "decimal points"


def _cells(table: Table, name: str, held: NumberType) -> tuple[int, tuple[str, ...]]:
    """How many cells of the rows that are looked at hold a number, and how some are written.

    Of a column whose spellings are not kept, as the format writes them.
    """
    column = table.select([name]).take(spread(table.rows, MOST_ROWS)).read()
    numbers = held.numbers(column.whole(name))
    present = numbers[~np.isnan(numbers)] if numbers.dtype.kind == "f" else numbers
    form = held.reading.number
    labels = held.labels or tuple(written(form, number) for number in np.unique(present)[::-1][:EXAMPLES].tolist())
    odd = [label for label in labels if PLAIN.number(label) is None and form.number(label) is not None]
    return len(present), tuple(odd[:EXAMPLES])


def written(form: NumberFormat, number: float) -> str:
    """A number as the format writes it."""
    whole, _, fraction = number_label(abs(number)).partition(".")
    grouped = f"{int(whole):,}".replace(",", form.thousands)
    text = f"{'-' if number < 0 else ''}{grouped}{form.decimal + fraction if fraction else ''}"
    if not form.unit:
        return text
    return f"{text} {form.unit}" if form.unit in MEASURES else f"{form.unit}{text}"


def _number(form: NumberFormat, text: str) -> float:
    number = form.number(text)
    return 0.0 if number is None else number
