"""What cannot be read: cells of a column, and rows that hold such."""

from collections.abc import Mapping, Sequence

from engine.errors import DataError, RowError


class UnreadableRows(RowError):
    """Rows sent for prediction, or of a dataset, hold what they should not; it speaks of the first of its `faults`."""

    def __init__(self, faults: Sequence[RowError]) -> None:
        first = faults[0]
        super().__init__(first.row, first.field, first.detail)
        self.faults = tuple(faults)


class UnreadableCells(DataError):
    """Cells of a column are not what the column holds; `cells` has the first of them by row, `count` says how many."""

    def __init__(self, column: str, cells: Mapping[int, str], count: int) -> None:
        row, says = next(iter(cells.items()))
        more = f" (and {count - 1} more)" if count > 1 else ""
        super().__init__(f"row {row}, field {column!r} {says}{more}")
        self.column = column
        self.cells = cells
        self.count = count
