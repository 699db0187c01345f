"""Rows on their way to a model: what their cells mean to its encoders, and what is to be said of each row.

Rows of a dataset and rows of a request, as objects, lists or arrays, are read by the same encoders, so that a value
means the same wherever it comes from.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.encoding.arrays import array_sent, flat_numbers, holds_value
from engine.data.encoding.column_encoder import MOST_CELLS, Read, shown
from engine.data.encoding.encoders import AnyEncoder, BooleanEncoder, NumberEncoder, TensorEncoder
from engine.data.formats.images.picture import PixelBudget
from engine.data.reading.unreadable import UnreadableCells, UnreadableRows
from engine.data.table import Table
from engine.errors import RowError
from engine.spelling import did_you_mean, nearest

Row = Mapping[str, Any] | Sequence[Any]
Encoders = Sequence[AnyEncoder]
Names = Mapping[int, list[str]]
"""Fields by row."""

NOTHING: Names = {}
MOST_IGNORED = 100  # fields that are named
MOST_LETTERS = 200  # of a name


@dataclass(frozen=True)
class RowMarks:
    """What is to be said of rows: fields that were filled in, labels never met in training, numbers far outside it.

    `ignored` are the fields that the model does not know, each with the first row that has it.
    """

    filled: Names = field(default_factory=dict)
    unseen: Names = field(default_factory=dict)
    outside: Names = field(default_factory=dict)
    ignored: Mapping[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.filled or self.unseen or self.outside or self.ignored)

    @property
    def by_kind(self) -> dict[str, Names]:
        """The marks that there are, by the name that an answer has for them."""
        kinds = {"filled": self.filled, "unseen": self.unseen, "outside": self.outside}
        return {kind: names for kind, names in kinds.items() if names}

    def of(self, row: int) -> dict[str, list[str]]:
        """What is to be said of one row."""
        return {kind: names[row] for kind, names in self.by_kind.items() if row in names}

    def shifted(self, by: int) -> "RowMarks":
        """The same of rows that have greater numbers."""
        if not by or not self:
            return self
        moved = {kind: {row + by: names for row, names in rows.items()} for kind, rows in self.by_kind.items()}
        return RowMarks(**moved, ignored={name: row + by for name, row in self.ignored.items()})


def joined(marks: Sequence[RowMarks]) -> RowMarks:
    """The marks of several blocks of rows, whose numbers go on from block to block."""
    said = [one for one in marks if one]
    if not said:
        return NO_MARKS
    kinds: dict[str, dict[int, list[str]]] = {"filled": {}, "unseen": {}, "outside": {}}
    for one in said:
        for kind, rows in one.by_kind.items():
            kinds[kind] |= rows
    ignored = {name: row for one in reversed(said) for name, row in one.ignored.items()}
    return RowMarks(**kinds, ignored=dict(sorted(ignored.items())))


NO_MARKS = RowMarks()


@dataclass(frozen=True)
class ReadRows:
    """One array an encoder: a number a row, NaN where nothing was there; of a tensor its arrays."""

    encoders: Encoders
    columns: tuple[Read, ...]
    ignored: Mapping[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return len(self.columns[0])

    def marks(self) -> RowMarks:
        """What is to be said of the rows."""
        found: dict[str, dict[int, list[str]]] = {"filled": {}, "unseen": {}, "outside": {}}
        for encoder, column in zip(self.encoders, self.columns, strict=True):
            if isinstance(encoder, TensorEncoder):
                continue
            filled = np.isnan(column) if column.dtype.kind == "f" else None
            masks = {"filled": filled, "unseen": encoder.unseen(column), "outside": encoder.outside(column)}
            for kind, mask in masks.items():
                if mask is not None and mask.any():
                    for row in np.flatnonzero(mask).tolist():
                        found[kind].setdefault(row, []).append(encoder.name)
        if not self.ignored and not any(found.values()):
            return NO_MARKS
        return RowMarks(**found, ignored=self.ignored)


def _said(name: str) -> str:
    """A name as it can be said in an answer: short, and in UTF-8, which some JSON is not."""
    return name[:MOST_LETTERS].encode(errors="backslashreplace").decode()


def takes_numbers(encoders: Encoders) -> bool:
    """Whether a row is numbers and nothing else."""
    return all(isinstance(encoder, TensorEncoder | NumberEncoder) for encoder in encoders)


def read_table(encoders: Encoders, table: Table, first: int = 0) -> ReadRows:
    """What the features of a table in memory mean; a column that is not there is missing in every row.

    UnreadableRows counts rows from `first`.
    """
    columns: list[Read] = []
    faults: list[RowError] = []
    for encoder in encoders:
        if encoder.name not in table.columns and not isinstance(encoder, TensorEncoder):
            columns.append(np.full(table.rows, np.nan))
            continue
        try:
            columns.append(encoder.read(table.columns[encoder.name][:], table.types[encoder.name]))
        except UnreadableCells as bad:
            faults += _faults_of(bad, first)
    _refuse(faults)
    return ReadRows(encoders, tuple(columns))


def count_marks(encoders: Encoders, table: Table) -> dict[str, int]:
    """How many rows of a table have a field that is filled in, unseen or far outside; raises UnreadableRows."""
    known = [encoder for encoder in encoders if not isinstance(encoder, TensorEncoder)]
    counts: Counter[str] = Counter()
    first = 0
    for block in table.blocks([encoder.name for encoder in known]) if known else ():
        counts.update({kind: len(rows) for kind, rows in read_table(known, block, first).marks().by_kind.items()})
        first += block.rows
    return dict(counts)


def read_rows(encoders: Encoders, rows: Sequence[Row] | NDArray[Any]) -> ReadRows:
    """What rows of a request mean: objects keyed by feature, lists of all values in order, or one array.

    A field that is left out is missing; one that the model does not know is passed over, unless it seems to be a
    missing one, misspelled. UnreadableRows names rows, counted from 0, and fields.
    """
    if isinstance(rows, np.ndarray):
        return _read_array(encoders, rows)
    faults: list[RowError] = []
    ignored: dict[str, int] = {}
    names = [encoder.name for encoder in encoders]
    values: list[list[Any]] = [[] for _ in names]
    known, numbers = set(names), takes_numbers(encoders)
    for number, row in enumerate(rows):
        if isinstance(row, Mapping):
            for column, name in zip(values, names, strict=True):
                column.append(row.get(name))
            if not row.keys() <= known:
                strange = [name for name in row if name not in known]
                ignored = dict.fromkeys(strange, number) | ignored
                faults += _misspelled(number, row, strange, names)
            if not row.keys() & known:
                faults.append(RowError(number, "", f"row {number} has none of the model's fields: {_some(names)}"))
            continue
        try:
            listed = _listed(encoders, number, row, numbers=numbers)
        except RowError as fault:
            faults.append(fault)
            listed = [None] * len(names)
        for column, value in zip(values, listed, strict=True):
            column.append(value)
        if len(faults) > MOST_CELLS:
            break
    columns: list[Read] = []
    strange_rows = {fault.row for fault in faults}
    for place, (encoder, column) in enumerate(zip(encoders, values, strict=True)):
        try:
            if isinstance(encoder, TensorEncoder):
                columns.append(_arrays(encoder, column, strange_rows))
            else:
                columns.append(encoder.read_values(column))
        except UnreadableCells as bad:
            faults += [
                RowError(row, encoder.name if isinstance(rows[row], Mapping) else str(place), detail(row, bad))
                for row in bad.cells
            ]
        except UnreadableRows as bad_rows:
            faults += bad_rows.faults
    _refuse(faults)
    said = {_said(name): row for name, row in sorted(ignored.items())[:MOST_IGNORED]}
    return ReadRows(encoders, tuple(columns), said)


def detail(row: int, bad: UnreadableCells) -> str:
    """What is said of an unreadable cell."""
    return f"row {row}, field {bad.column!r} {bad.cells[row]}"


def flat_rows(encoders: Encoders, rows: NDArray[Any]) -> NDArray[Any]:
    """An array as one row of numbers a row; RowError where it is none."""
    size = sum(prod(encoder.shape) for encoder in encoders)
    if rows.ndim < 2 or rows.dtype.kind not in "fiub" or rows.size != len(rows) * size:
        raise RowError(0, "", f"an array {rows.shape} of {rows.dtype} is no table of rows of {size} numbers")
    return rows.reshape(len(rows), size)


def _read_array(encoders: Encoders, rows: NDArray[Any]) -> ReadRows:
    """Numbers, and NaN for what is missing; what a row of categories is can no array say."""
    if not all(isinstance(one, TensorEncoder | NumberEncoder | BooleanEncoder) for one in encoders):
        raise RowError(0, "", "an array of numbers has no categories; send objects keyed by feature, or lists")
    flat = flat_rows(encoders, rows).astype(np.float64)
    columns: list[Read] = []
    start = 0
    for encoder in encoders:
        size = prod(encoder.shape)
        part = flat[:, start : start + size]
        bad = ~np.isfinite(part) if isinstance(encoder, TensorEncoder) else np.isinf(part)
        if bad.any():
            row = int(np.flatnonzero(bad.any(axis=1))[0])
            raise RowError(row, "", f"row {row} holds NaN or infinity; send finite numbers")
        if isinstance(encoder, BooleanEncoder):
            columns.append(encoder.read_values(part[:, 0].tolist()))
            start += size
            continue
        if isinstance(encoder, NumberEncoder) and (markers := encoder.reading.missing_numbers):
            part = np.where(np.isin(part, markers), np.nan, part)
        columns.append(part.reshape(len(flat), *encoder.shape))
        start += size
    return ReadRows(encoders, tuple(columns))


def _listed(encoders: Encoders, number: int, row: object, *, numbers: bool) -> Sequence[Any]:
    """The values of a row that is a list, one a feature; the numbers of arrays may lie flat in it."""
    what = "numbers" if numbers else "values"
    if not isinstance(row, list | tuple | np.ndarray):
        raise RowError(number, "", f"row {number} is {shown(row)}; send an object or an array of {what}")
    if not numbers or not any(encoder.shape for encoder in encoders):
        if len(row) != len(encoders):
            raise RowError(
                number, "", f"row {number} is {shown(row)}; it takes an array of {len(encoders)} {what}, one a feature"
            )
        return list(row)
    size = sum(prod(encoder.shape) for encoder in encoders)
    (first, *others) = encoders
    if isinstance(first, TensorEncoder) and not others:  # the array is sent as the row itself, or as its only value
        return [row[0] if holds_value(row, first) else row]
    if len(row) == len(encoders) != size:
        return list(row)
    flat = flat_numbers(number, "", row, (size,))
    parts: list[Any] = []
    start = 0
    for encoder in encoders:
        part = flat[start : start + prod(encoder.shape)]
        parts.append(part if encoder.shape else part[0])
        start += prod(encoder.shape)
    return parts


def _misspelled(
    number: int, row: Mapping[str, Any], strange: Sequence[str], names: Sequence[str]
) -> Iterator[RowError]:
    """Fields that are passed over while one is missing that is called almost the same."""
    missing = tuple(name for name in names if name not in row)
    for name in strange:
        if missing and _is_near(name[:80], missing):
            yield RowError(
                number, name, f"row {number} has the unknown field {name[:80]!r}. {did_you_mean(name[:80], missing)}"
            )


@lru_cache(maxsize=256)
def _is_near(name: str, others: tuple[str, ...]) -> bool:
    """Whether one of the others is called almost the same; rows ask the same again and again."""
    return nearest(name, others) is not None


def _arrays(encoder: TensorEncoder, values: Sequence[Any], skipped: set[int]) -> Read:
    faults: list[RowError] = []
    found = np.zeros((len(values), *encoder.shape))
    budget = PixelBudget(sum(len(value) for value in values if isinstance(value, str | bytes)))
    for number, value in enumerate(values):
        if number in skipped:
            continue
        try:
            if value is None:
                raise RowError(
                    number, encoder.name, f"row {number} lacks the field {encoder.name!r}, an array, which is needed"
                )
            found[number] = array_sent(number, encoder.name, value, encoder, budget).reshape(encoder.shape)
        except RowError as fault:
            faults.append(fault)
            if len(faults) == MOST_CELLS:
                break
    _refuse(faults)
    return found


def _faults_of(bad: UnreadableCells, first: int) -> Iterator[RowError]:
    for row, says in bad.cells.items():
        yield RowError(first + row, bad.column, f"row {first + row}, field {bad.column!r} {says}")


def _refuse(faults: list[RowError]) -> None:
    if faults:
        raise UnreadableRows(sorted(faults, key=lambda fault: fault.row)[:MOST_CELLS])


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:10])) + (", …" if len(names) > 10 else "")
