"""The refusal of a row that has more or fewer cells than there are columns: what it holds, and what it looks like."""

from collections.abc import Sequence

from engine.data.reading.cell_values import shown
from engine.errors import DataError


def ragged(line: int, cells: Sequence[str], columns: int) -> DataError:
    """Names the line, its cells, and what may be wrong with it."""
    head = f"line {line} has {len(cells)} cells, but the header names {columns} columns"
    held = shown(" | ".join(cell.strip() for cell in cells))
    if len(cells) == columns + 1 and not cells[-1].strip():
        return DataError(f"{head}; its last cell is empty: does the row end with a delimiter that others have not?")
    if len(cells) > columns:
        return DataError(f"{head}; it holds {held}. Is there a delimiter within a cell? Such a cell stands in quotes")
    filled = [cell for cell in cells if cell.strip()]
    if len(filled) <= 1:
        return DataError(f"{head}; it holds {held}. Is it a title, a note or a total? Leave it out")
    return DataError(f"{head}; it holds {held}. Is it cut short?")


def faulty(line: int, text: str, fault: str) -> DataError:
    """The refusal of what is no CSV."""
    if '\\"' in text:
        return DataError(
            f"line {line} is not CSV: it has a backslash before a quote, as MySQL and Spark write it; send "
            'escape=backslash, or write such quotes doubled ("")'
        )
    return DataError(f"line {line} is not CSV: {fault}; check its quotes and line ends")
