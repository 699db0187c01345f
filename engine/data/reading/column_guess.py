"""What a column holds, as the spellings of its cells suggest."""

from collections.abc import Collection, Sequence
from math import isfinite

from engine.data.column_types import AnyColumnType, BooleanType, CategoryType, NumberType, TextType
from engine.data.reading.cell_reading import CellReading
from engine.data.reading.cell_values import YES_NO, is_date, is_infinite, shown
from engine.data.reading.number_format import PLAIN, NumberFormat, guess_format
from engine.errors import DataError

MOST_CATEGORIES = 1000  # more distinct words are hardly categories
FEW_CATEGORIES = 20  # so few always are
LONGEST_CATEGORY = 200  # characters
LOOKED_AT = 512  # spellings from which a number format is guessed
DATES = 0.8  # of the spellings, where some others are no dates: 'unknown', 'pending'
FEWEST_DATES = 5


def guess_type(
    labels: Sequence[str], markers: Sequence[str], missing: Collection[str], *, present: int, example: str = ""
) -> AnyColumnType:
    """The type of a column of these sorted distinct spellings, of which so many cells are present.

    `markers` are those that stand for missing cells, `missing` all words that do; the example shows what is no number.
    Raises DataError for infinity among numbers.
    """
    form, read = _number_format(labels)
    endless = [label for label in labels if is_infinite(label)]
    if endless and read and read + len(endless) == len(labels):
        met = shown(endless[0])
        raise DataError(f"holds {example if example.startswith(met) else met}; every number must be finite")
    reading = CellReading(number=form if 2 * read > len(labels) else PLAIN, missing=tuple(sorted({*missing} - {""})))
    spelled = {"labels": tuple(labels), "markers": tuple(markers), "reading": reading}
    if labels and all(label.lower() in YES_NO for label in labels):
        return BooleanType.model_validate(spelled)
    if labels and read == len(labels):
        return NumberType.model_validate(spelled)
    if (
        labels
        and (dates := sum(map(is_date, labels))) >= DATES * len(labels)
        and (dates == len(labels) or dates >= FEWEST_DATES)
    ):
        first = next(filter(is_date, labels))
        return TextType.model_validate({**spelled, "holds": "dates", "example": shown(first)})
    short = max(map(len, labels), default=0) <= LONGEST_CATEGORY
    if short and len(labels) <= FEW_CATEGORIES:
        return CategoryType.model_validate(spelled)
    if 2 * read > len(labels):
        odd = next((label for label in labels if reading.number_in(label) is None), "")
        return TextType.model_validate({**spelled, "holds": "mixed", "example": example or shown(odd)})
    if short and len(labels) <= min(MOST_CATEGORIES, present / 2):
        return CategoryType.model_validate(spelled)
    holds = "identifiers" if len(labels) == present and not any(" " in x for x in labels) else "text"
    return TextType.model_validate({**spelled, "holds": holds, "example": shown(labels[0])})


def _number_format(labels: Sequence[str]) -> tuple[NumberFormat, int]:
    """The format that reads most of the spellings, and how many it reads."""
    some = labels[:: -(-len(labels) // LOOKED_AT)] if labels else ()
    form, read = guess_format(some)
    if not read or len(some) == len(labels):
        return form, read
    numbers = map(form.number, labels)
    return form, sum(number is not None and isfinite(number) for number in numbers)
