"""What every encoder of a column of single values does: it reads the cells of rows to predict by one `CellReading`."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.component import Component
from engine.data.reading.cell_reading import CellReading
from engine.data.reading.unreadable import UnreadableCells

Values = NDArray[Any]
Inputs = NDArray[np.float64]
Read = NDArray[Any]
"""One number a row, NaN where nothing is there; of a tensor its array."""

MOST_CELLS = 20  # named in a refusal


class ColumnEncoder(Component):
    """A column of single values: what its cells mean, what stands in where there is none, what is told apart."""

    name: str
    reading: CellReading = CellReading()
    fill_with: float = 0.0
    indicator: bool = False  # an input of its own says that a value is missing: training rows lacked it

    @property
    def shape(self) -> tuple[int, ...]:
        return ()

    @property
    def scaled(self) -> int:
        return 0

    def unseen(self, read: Read) -> NDArray[np.bool_] | None:
        """Which rows have a label that training never met; None for columns without labels."""
        return None

    def outside(self, read: Read) -> NDArray[np.bool_] | None:
        """Which rows have a number far outside of those of training; None for columns without numbers."""
        return None

    def read_values(self, values: Sequence[Any]) -> Read:
        """The values of rows to predict; raises UnreadableCells."""
        found, bad = np.empty(len(values)), dict[int, str]()
        marked = bool(self.reading.missing_numbers)
        for row, value in enumerate(values):
            if value is None or (isinstance(value, str) and self.reading.is_missing(value)) or value != value:
                found[row] = np.nan
                continue
            if marked and type(value) is not str and value in self.reading.missing_numbers:
                found[row] = np.nan
                continue
            meaning = self._meaning(value)
            if meaning is None:
                meaning = np.nan
                if not self.reading.lenient:
                    bad[row] = self._complaint(value)
            found[row] = meaning
        if bad:
            raise UnreadableCells(self.name, dict(list(bad.items())[:MOST_CELLS]), len(bad))
        return found

    @abstractmethod
    def _meaning(self, value: Any) -> float | None:
        """What a value that is there means; None where it cannot be read."""

    @abstractmethod
    def _complaint(self, value: Any) -> str:
        """What is said of a value that cannot be read."""


def shown(value: Any) -> str:
    """A quotation short enough for a message."""
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:40] + "…")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return f"an array of {len(value)}"
    return "an object" if isinstance(value, dict) else "a number"
