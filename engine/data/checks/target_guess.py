"""What a target of numbers was taken for, classes or values, where nobody has said which of the two it is."""

from collections.abc import Iterator

import numpy as np

from engine.data.checks.finding import EXAMPLES, Finding, Settle
from engine.data.column_types import NumberType
from engine.data.encoding.column_options import AnyColumnOption
from engine.data.encoding.target_column import FEW, TargetKind
from engine.data.reading.cell_values import number_label
from engine.data.table import Table

MOST_CODES = 200  # distinct whole numbers that could still be the names of classes
ROWS_A_CLASS = 10
CALLED_CLASSES = ("label", "labels", "class")
"""Names of columns that say themselves that they hold classes, if these are numbered."""


def about_target_guess(
    table: Table, target: str, kind: TargetKind, loss: str, option: AnyColumnOption | None
) -> Iterator[Finding]:
    """A numeric target that nobody called classes or numbers, neither by its file nor by the spec."""
    held = table.types[target]
    if loss != "auto" or option is not None or not isinstance(held, NumberType) or held.classes or table.shapes[target]:
        return
    values = held.numbers(table.whole(target))
    known = np.unique(values[~np.isnan(values)] if values.dtype.kind == "f" else values)
    shown = tuple(map(number_label, known[:EXAMPLES].tolist()))
    counts_up = bool(len(known) and known[0] in (0, 1) and np.all(np.diff(known) == 1))
    if kind == "classes" and len(known) > 2 and not (counts_up and target.lower() in CALLED_CLASSES):
        yield Finding(
            check="numbers_as_classes",
            severity="info" if counts_up else "warning",
            columns=(target,),
            count=len(known),
            examples=shown,
            message=f"{target!r} holds {len(known)} different whole numbers, {', '.join(shown)} …: they were taken for "
            f"classes, since there are no more than {FEW}.",
            advice="If they are amounts, counts or grades, have the number itself predicted: loss mean_squared_error, "
            f'or {{"{target}": {{"type": "number"}}}} in data.columns.',
            settle=Settle(job={"loss": {"type": "mean_squared_error"}}),
        )
    whole = bool(np.all(known == np.round(known)))
    if kind == "values" and whole and len(known) <= min(MOST_CODES, len(values) / ROWS_A_CLASS):
        yield Finding(
            check="numbers_as_values",
            severity="info",
            columns=(target,),
            count=len(known),
            examples=shown,
            message=f"{target!r} holds {len(known)} different whole numbers, {', '.join(shown)} …: they were taken for "
            f"values, since there are more than {FEW}.",
            advice="If they name classes, such as codes of a list, have them told apart: loss softmax_cross_entropy.",
            settle=Settle(job={"loss": {"type": "softmax_cross_entropy"}}),
        )
