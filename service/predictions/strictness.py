"""What a strict version of a model refuses: rows that lack something, and fields that it does not know."""

from collections.abc import Sequence

from engine import RowError
from engine.data.encoding.row_reading import RowMarks
from engine.data.reading.unreadable import UnreadableRows

STRICT = "and this version of the model is strict"


def refusal_of_gaps(marks: RowMarks) -> RowError | None:
    """What is wrong with rows that have these marks; None where they are whole and hold nothing else."""
    faults = [
        RowError(row, field, f"row {row} lacks {field!r}, {STRICT}")
        for row, fields in sorted(marks.filled.items())
        for field in fields
    ]
    faults += [RowError(row, field, f"row {row}: {unknown([field])}") for field, row in marks.ignored.items()]
    return UnreadableRows(sorted(faults, key=lambda fault: fault.row)) if faults else None


def unknown(names: Sequence[str]) -> str:
    """What is said of fields that the model does not know."""
    return f"the model does not know {', '.join(map(repr, names))}, {STRICT}; leave it out"
