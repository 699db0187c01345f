"""What a job on these data would be refused for, told before it is sent."""

from collections.abc import Iterator, Sequence

import numpy as np

from engine.data.checks.finding import EXAMPLES, Finding, Settle
from engine.data.column_types import SpelledType, TensorType
from engine.data.reading.cell_values import is_date
from engine.data.refusals import Refusal
from engine.data.table import Table


def about_refusals(found: Sequence[Refusal], table: Table, target: str) -> Iterator[Finding]:
    """A finding for each refusal, with the cells that it is about."""
    for refusal in found:
        count, examples = _cells(table, refusal.columns, target)
        yield Finding(
            check="refused",
            severity="refused",
            columns=refusal.columns,
            count=count,
            examples=examples,
            message=f"A job is refused: {refusal.fault.detail.removesuffix('.')}.",
            advice="Send the job with what settles it, or mend the data and upload them again."
            if refusal.settle is not None
            else "Mend the data and upload them again.",
            settle=None if refusal.settle is None else Settle(job=refusal.settle),
        )


def _cells(table: Table, columns: Sequence[str], target: str) -> tuple[int | None, tuple[str, ...]]:
    """Of the target the rows that lack it; of another column how many spellings it has, and some, odd ones first."""
    if len(columns) != 1 or isinstance(held := table.types[columns[0]], TensorType):
        return None, ()
    if columns[0] == target:
        rows = np.flatnonzero(held.missing(table.whole(target)))
        if rows.size:
            return int(rows.size), tuple(f"row {row}" for row in rows[:EXAMPLES].tolist())
    if not isinstance(held, SpelledType) or not held.labels:
        return None, ()
    odd = (label for label in held.labels if held.reading.number_in(label) is None and not is_date(label))
    return len(held.labels), tuple(dict.fromkeys([*odd, *held.labels]))[:EXAMPLES]
