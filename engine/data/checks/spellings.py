"""Columns whose type was guessed from spellings that could mean something else: words that look like numbers, labels
that look like each other, words that stand for missing values.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import numpy as np

from engine.data.checks.dates import about_dates
from engine.data.checks.finding import EXAMPLES, Finding, Settle, Severity, listed, settled_by
from engine.data.checks.number_formats import about_number_formats
from engine.data.checks.parts import spread
from engine.data.column_types import CategoryType, SpelledType, TextType
from engine.data.encoding.column_options import AnyColumnOption, CategoryColumn
from engine.data.reading.cell_values import plain_value
from engine.data.reading.number_format import NumberFormat, guess_format
from engine.data.table import Table

MOST_ROWS = 1 << 20  # that are counted; of more, so many evenly spread
MOST_LABELS = 1000  # of a column; more are hardly categories

Texts = Mapping[str, int]
"""Cells of each spelling."""


def about_spellings(
    table: Table, names: Sequence[str], target: str | None, options: Mapping[str, AnyColumnOption]
) -> Iterator[Finding]:
    """What the spellings of columns say against what they were taken for; nothing of what the spec has settled."""
    spelled: dict[str, SpelledType] = {}
    for name in names:
        if isinstance(held := table.types[name], SpelledType) and held.labels is not None:
            spelled[name] = held
    counts = _counted(table, spelled)
    for name, kind in spelled.items():
        option, labels = options.get(name), counts[name][0]
        is_target = name == target
        if isinstance(kind, CategoryType) and len(labels) <= MOST_LABELS:
            if option is None:
                form, what = guess_format(tuple(labels))[0], "classes" if is_target else "labels"
                told = f"a category of {len(labels)} {what}"
                yield from _words_like_numbers(name, labels, form, told, is_target=is_target)
            if option is None or isinstance(option, CategoryColumn):
                yield from _similar_labels(name, labels, is_target=is_target)
        if isinstance(kind, TextType) and kind.holds == "mixed" and option is None:
            yield from _words_like_numbers(name, labels, kind.reading.number, "text", is_target=is_target)
        if isinstance(kind, CategoryType | TextType):
            yield from about_dates(name, kind, labels, option)
    yield from about_number_formats(table, [name for name in names if name not in options])
    yield from _missing_words(table, {name: counts[name][1] for name in spelled if name not in options})


def _counted(table: Table, spelled: Mapping[str, SpelledType]) -> dict[str, tuple[Texts, Texts]]:
    """Cells of every label and of every marker, by column."""
    if not spelled:
        return {}
    rows = table.select(list(spelled))
    rows = rows if table.rows <= MOST_ROWS else rows.take(spread(table.rows, MOST_ROWS))
    totals = {name: np.zeros(len(held.labels or ()) + len(held.markers), np.int64) for name, held in spelled.items()}
    for block in rows.blocks(list(spelled)):
        for name, held in spelled.items():
            places, _ = held.texts(block.whole(name))
            totals[name] += np.bincount(places[places >= 0], minlength=len(totals[name]))
    told: dict[str, tuple[Texts, Texts]] = {}
    for name, held in spelled.items():
        known = held.labels or ()
        cells = list(zip((*known, *held.markers), totals[name].tolist(), strict=True))
        told[name] = (_met(cells[: len(known)]), _met(cells[len(known) :]))
    return told


def _met(cells: Iterable[tuple[str, int]]) -> Texts:
    return {text: count for text, count in cells if count}


def _words_like_numbers(
    name: str, labels: Texts, form: NumberFormat, taken_for: str, *, is_target: bool
) -> Iterator[Finding]:
    """Words most of which are numbers in this format: one odd cell has made a category, or text, of them."""
    numbers = {label: count for label, count in labels.items() if form.number(label) is not None}
    odd = {label: count for label, count in labels.items() if label not in numbers}
    if len(numbers) < 2 or not odd or 2 * sum(numbers.values()) < sum(labels.values()):
        return
    cells, read = sum(odd.values()), sum(numbers.values())
    option = {"type": "number", "unreadable": "missing", **form.model_dump(exclude_defaults=True)}
    yield Finding(
        check="words_like_numbers",
        severity=_severity(is_target),
        columns=(name,),
        count=cells,
        examples=_examples(odd),
        message=f"{name!r} was taken for {taken_for}, though {read} of its cells are numbers, "
        f"such as {_first(numbers)!r}; {cells} {'is' if cells == 1 else 'are'} not, such as {_first(odd)!r}.",
        advice="If they are numbers, correct the others, or have them count as missing values"
        + (" and leave such rows out, since a target cannot be missing." if is_target else "."),
        settle=settled_by(name, option),
    )


def _similar_labels(name: str, labels: Texts, *, is_target: bool) -> Iterator[Finding]:
    groups: dict[object, list[str]] = {}
    for label in labels:
        number = plain_value(label)
        groups.setdefault(" ".join(label.casefold().split()) if number is None else number, []).append(label)
    alike = [sorted(group, key=lambda label: -labels[label]) for group in groups.values() if len(group) > 1]
    if not alike:
        return
    alike.sort(key=lambda group: -labels[group[0]])
    pairs = [" and ".join(f"{label!r} ({labels[label]} rows)" for label in group[:EXAMPLES]) for group in alike]
    shown = "; ".join(pairs[:EXAMPLES]) + (f"; and {len(pairs) - EXAMPLES} more" if len(pairs) > EXAMPLES else "")
    yield Finding(
        check="similar_labels",
        severity=_severity(is_target),
        columns=(name,),
        count=sum(labels[label] for group in alike for label in group[1:]),
        examples=tuple(islice((label for group in alike for label in group), EXAMPLES)),
        message=f"{name!r} has labels that differ only in case, in blanks or in how a number is written: {shown}. Each "
        f"is a {'class' if is_target else 'label'} of its own.",
        advice="Write them alike in the file and upload it again, unless they mean different things.",
    )


def _missing_words(table: Table, found: Mapping[str, Texts]) -> Iterator[Finding]:
    """Words that were taken for missing values, of all columns together."""
    columns = {name: markers for name, markers in found.items() if markers}
    words: Counter[str] = Counter()
    for markers in columns.values():
        words.update(markers)
    if not words:
        return
    shown = [word for word, _ in words.most_common()]
    yield Finding(
        check="missing_words",
        severity="info",
        columns=tuple(columns),
        count=words.total(),
        examples=tuple(shown[:EXAMPLES]),
        message=f"{words.total()} cells of {listed(list(columns))} hold {listed(shown)} and count as missing.",
        advice="If they are labels, such as the answer 'None', say so; if another word stands for a missing value, "
        "name it in missing_words of data.columns.",
        settle=_as_labels(table, columns),
    )


def _as_labels(table: Table, columns: Iterable[str]) -> Settle | None:
    """What makes labels of words for missing values: in categories, as no other column can hold words."""
    taken = [name for name in columns if isinstance(table.types[name], CategoryType)]
    option = {"type": "category", "missing_words": []}
    return Settle(job={"data": {"columns": dict.fromkeys(taken, option)}}) if taken else None


def _severity(is_target: bool) -> Severity:
    return "serious" if is_target else "warning"


def _examples(texts: Texts) -> tuple[str, ...]:
    """The most frequent ones."""
    return tuple(sorted(texts, key=lambda text: -texts[text])[:EXAMPLES])


def _first(texts: Texts) -> str:
    return _examples(texts)[0]
