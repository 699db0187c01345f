"""What the columns of a dataset hold: types, ranges, what is missing, and a little histogram of each.

Made once, when a dataset is stored, in two walks through its blocks: one for the range, one to count. Of very many
values the second one counts those of every so manieth block.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite, prod, sqrt
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from engine.data.column_types import AnyColumnType, BooleanType, CategoryType, NumberType, TensorType, TextType
from engine.data.table import BLOCK, Table

BINS = 20
TOP = 10
LISTED_VALUES = 20  # a column with at most so many distinct integers may be classes: they are listed
COUNTED = 1 << 26  # values that are all counted for histograms
MOST_DISTINCT = 10_000  # values that are told apart; of more it is only said that there are many


class _Series(Protocol):
    """What becomes of a column, block by block."""

    @property
    def undone(self) -> bool: ...

    def look(self, values: NDArray[Any]) -> None: ...

    def count(self, values: NDArray[Any]) -> None: ...

    def described(self) -> dict[str, Any]: ...


def summarize(parts: Mapping[str, Table]) -> dict[str, Any]:
    """Rows per part and what every column holds over all parts, fit for JSON."""
    first = next(iter(parts.values()))
    series = {name: _series(kind, first.columns[name].dtype) for name, kind in first.types.items()}
    for block in map(Table.plain, _blocks(parts)):
        for name, one in series.items():
            one.look(block.whole(name))
    values = sum(table.rows * prod(shape) for table in parts.values() for shape in table.shapes.values())
    counted = [name for name, one in series.items() if one.undone]
    if counted:
        for block in map(Table.plain, _blocks(parts, counted, every=-(-values // COUNTED))):
            for name in counted:
                series[name].count(block.whole(name))
    return {
        "rows": {part: table.rows for part, table in parts.items()},
        "columns": [
            {
                "name": name,
                "type": first.types[name].kind,
                "dtype": _dtype(first, name),
                "shape": list(first.shapes[name]),
                **one.described(),
            }
            for name, one in series.items()
        ],
    }


def _dtype(table: Table, name: str) -> str:
    """The type of the values; a spelled column stands for floats."""
    held = table.types[name]
    spelled = isinstance(held, NumberType | BooleanType) and held.labels is not None
    return "float64" if spelled else table.columns[name].dtype.name


def first_rows(table: Table, limit: int) -> dict[str, Any]:
    """The first rows as objects keyed by column; null where a value is missing."""
    head = table.take(slice(0, limit)).read()
    values = {name: head.values(name) for name in head.columns}
    return {
        "columns": list(values),
        "rows": [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)],
    }


def _blocks(parts: Mapping[str, Table], names: Sequence[str] | None = None, *, every: int = 1) -> Iterator[Table]:
    for table in parts.values():
        chosen = table if names is None else table.select(names)
        step = max(1, BLOCK // max(1, sum(map(prod, chosen.shapes.values()))))
        for start in range(0, table.rows, step * every):
            yield chosen.take(slice(start, start + step)).read()


def _series(kind: AnyColumnType, dtype: DTypeLike) -> _Series:
    match kind:
        case BooleanType():
            return _Labels((False, True))
        case CategoryType(labels=labels):
            return _Labels(labels)
        case TextType(labels=labels):
            return _Labels(labels or (), {"holds": kind.holds})
        case TensorType() if dtype == np.uint8:
            return _Bytes()
        case _:
            return _Numbers(many=isinstance(kind, TensorType))


class _Labels:
    """Categories, yes and no, text: how often each occurs."""

    undone = False  # after the first walk

    def __init__(self, labels: Sequence[str | bool], also: Mapping[str, Any] | None = None) -> None:
        self._labels, self._also = labels, also or {}
        self._counts = np.zeros(len(labels) + 1, np.int64)  # the last: beyond the labels that are kept
        self._missing = 0

    def look(self, values: NDArray[Any]) -> None:
        codes = np.where(values == values, values, -1).astype(np.int64)
        present = codes[codes >= 0]
        self._missing += len(codes) - len(present)
        self._counts += np.bincount(np.minimum(present, len(self._labels)), minlength=len(self._counts))

    def count(self, values: NDArray[Any]) -> None:
        pass

    def described(self) -> dict[str, Any]:
        counts = self._counts[:-1]
        order = np.argsort(-counts, kind="stable")[:TOP]
        top = [{"value": self._labels[place], "rows": int(counts[place])} for place in order if counts[place]]
        told: dict[str, Any] = {
            **self._also,
            "missing": self._missing,
            "distinct": None if self._counts[-1] else int(np.count_nonzero(counts)),
            "top": top,
            "other": int(self._counts.sum()) - sum(entry["rows"] for entry in top),
        }
        if 0 < len(self._labels) <= LISTED_VALUES and not self._also:
            told["classes"] = list(self._labels)
        return told


class _Bytes:
    """Arrays of bytes, such as images: all there is to say follows from how often each of 256 values occurs."""

    undone = False

    def __init__(self) -> None:
        self._counts = np.zeros(256, np.int64)

    def look(self, values: NDArray[Any]) -> None:
        self._counts += np.bincount(values.reshape(-1), minlength=256)

    def count(self, values: NDArray[Any]) -> None:
        pass

    def described(self) -> dict[str, Any]:
        met = np.flatnonzero(self._counts)
        low, high, total = int(met[0]), int(met[-1]), int(self._counts.sum())
        mean = float(self._counts @ np.arange(256.0)) / total
        edges = _edges(low, high, whole=True)
        return {
            "min": low,
            "max": high,
            "mean": mean,
            "std": sqrt(float(self._counts @ (np.arange(256.0) - mean) ** 2) / total),
            "missing": 0,
            "histogram": {
                "edges": edges.tolist(),
                "counts": np.histogram(np.arange(256), edges, weights=self._counts)[0].astype(int).tolist(),
            },
        }


class _Numbers:
    """Numbers, one a row or many: range, mean, spread, and how they lie in between."""

    undone = True

    def __init__(self, *, many: bool) -> None:
        self._many = many
        self._rows = self._values = self._missing = 0
        self._low, self._high = np.inf, -np.inf
        self._mean = self._squares = 0.0  # Σ(x − mean)², merged block by block (Chan)
        self._distinct: NDArray[Any] | None = None
        self._more = many  # than are told apart
        self._whole = True
        self._counts: NDArray[np.int64] | None = None
        self._edges: NDArray[np.float64] = np.empty(0)

    def look(self, values: NDArray[Any]) -> None:
        present = _present(values)
        self._missing += values.size - present.size
        if not present.size:
            return
        self._low = min(self._low, present.min().item())
        self._high = max(self._high, present.max().item())
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(present.mean(dtype=np.float64))
            squares = float(present.var(dtype=np.float64)) * present.size
            total, distance = self._values + present.size, mean - self._mean
            self._squares += squares + distance * distance * self._values * present.size / total
            self._mean += distance * present.size / total
        self._values = total
        if present.dtype.kind == "f" and self._whole:
            self._whole = bool(np.all(present == np.floor(present)))
        if not self._more:
            self._tell_apart(present)

    def count(self, values: NDArray[Any]) -> None:
        present = _present(values)
        if self._counts is None:
            self._edges = _edges(self._low, self._high, whole=self._whole) if self._values else np.empty(0)
            self._counts = np.zeros(max(0, len(self._edges) - 1), np.int64)
        if len(self._counts) and present.size:
            self._counts += np.histogram(present, self._edges)[0]

    def described(self) -> dict[str, Any]:
        distinct = self._distinct if self._distinct is not None else np.empty(0)
        spread = sqrt(self._squares / self._values) if self._values and self._squares >= 0 else None
        told: dict[str, Any] = {
            "min": self._low if self._values else None,
            "max": self._high if self._values else None,
            "mean": self._mean if self._values and isfinite(self._mean) else None,
            "std": spread if spread is not None and isfinite(spread) else None,
            "missing": self._missing,
            "histogram": None,
        }
        if self._counts is not None and len(self._counts):
            told["histogram"] = {"edges": self._edges.tolist(), "counts": self._counts.tolist()}
        if not self._many:
            told["distinct"] = None if self._more else len(distinct)
            if not self._more and self._whole and 0 < len(distinct) <= LISTED_VALUES:
                told["classes"] = [int(value) for value in distinct]
        return told

    def _tell_apart(self, present: NDArray[Any]) -> None:
        found = np.unique(present)
        if self._distinct is not None:
            found = np.unique(np.concatenate([self._distinct, found]))
        self._distinct = found
        self._more = len(found) > MOST_DISTINCT


def _edges(low: float, high: float, *, whole: bool) -> NDArray[np.float64]:
    """Edges of equal bins; one bin an integer where there are few. None where the range leaves float64."""
    if not isfinite(high - low):
        return np.empty(0)
    if whole and high - low < BINS:
        return np.arange(low, high + 2) - 0.5
    edges = np.linspace(low, high, BINS + 1)
    return edges if np.all(np.diff(edges) > 0) else np.empty(0)


def _present(values: NDArray[Any]) -> NDArray[Any]:
    flat = values.reshape(-1)
    if flat.dtype.kind != "f":
        return flat.view(np.uint8) if flat.dtype == bool else flat
    missing = np.isnan(flat)
    return flat[~missing] if missing.any() else flat
