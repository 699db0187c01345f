"""The column to predict, as the checks see it: classes, or values."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.data.column_types import CategoryType, TextType
from engine.data.encoding.target_column import TargetKind
from engine.data.table import Table

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """What is known about the target: the labels of its classes, or none where it has values."""

    name: str
    labels: tuple[str, ...]

    @classmethod
    def of(cls, name: str, table: Table, kind: TargetKind) -> "Answers | None":
        """None for what no single class or value answers: labels of yes and no."""
        if table.shapes[name] or kind == "multilabel":
            return None
        if kind == "values":
            return cls(name, ())
        held, values = table.types[name], np.unique(table.whole(name))
        words = (_word(label) for label in held.decoded(values[~held.missing(values)]))
        return cls(name, tuple(dict.fromkeys(words)))

    @property
    def by_class(self) -> bool:
        return bool(self.labels)

    def read(self, samples: Iterable[Table]) -> Values:
        """Class numbers or values of rows in memory, NaN where there is none or a class is unknown here."""
        return np.concatenate([self._read(table) for table in samples])

    def _read(self, table: Table) -> Values:
        held, values = table.types[self.name], table.whole(self.name)
        if not self.by_class:
            words = isinstance(held, CategoryType | TextType)
            return np.full(table.rows, np.nan) if words else np.asarray(values, np.float64)
        place = {label: float(number) for number, label in enumerate(self.labels)}
        found, index = np.unique(values, return_inverse=True)
        numbers = np.array([place.get(_word(label), np.nan) for label in held.decoded(found)])
        return np.asarray(numbers[index], np.float64)


def _word(label: object) -> str:
    """A class by the name that people know it by: 3 for 3.0."""
    if isinstance(label, bool):
        return str(label).lower()
    return str(int(label)) if isinstance(label, float) and label == int(label) else str(label)
