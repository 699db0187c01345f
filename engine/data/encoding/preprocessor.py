"""What turns rows into a network's inputs: learned on the training rows, kept in the model.

Prediction needs nothing else: how each column becomes inputs, how those are scaled, what is answered.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from pydantic import TypeAdapter

from engine.data.column_types import AnyColumnType
from engine.data.encoding.arrays import array_sent, flat_numbers, holds_value
from engine.data.encoding.column_options import AnyColumnOption
from engine.data.encoding.encoder_learning import Options, learn_encoders
from engine.data.encoding.encoders import AnyEncoder, BadValue, Encoder, NumberEncoder, TensorEncoder, shown
from engine.data.encoding.normalizers import AnyNormalizer, Array, Normalizer, Statistics
from engine.data.encoding.target_column import Label, TargetColumn, TargetKind
from engine.data.table import Column, Table
from engine.errors import DataError, RowError
from engine.spelling import did_you_mean

BLOCK = 1 << 20  # inputs made at a time: eight megabytes as float64
CACHED = 1 << 16  # of rows to predict: as float64 they stay in a core's cache
Row = Mapping[str, Any] | Sequence[Any]
NORMALIZER: TypeAdapter[AnyNormalizer] = TypeAdapter(Normalizer)
ENCODER: TypeAdapter[AnyEncoder] = TypeAdapter(Encoder)


@dataclass(frozen=True)
class Preprocessor:
    """An encoder for every feature column in order, statistics of the inputs that are scaled, and the target."""

    encoders: tuple[AnyEncoder, ...]
    normalizer: AnyNormalizer
    statistics: Statistics
    target: TargetColumn

    @classmethod
    def learn(
        cls, table: Table, normalizer: AnyNormalizer, target: TargetColumn, options: Options | None = None
    ) -> "Preprocessor":
        """Learn from the feature columns of the training rows; DataError where a statistic leaves float64."""
        unscaled = cls(learn_encoders(table, options or {}), normalizer, {}, target)
        if not len(unscaled.scaled_places):
            return unscaled
        with np.errstate(over="ignore", invalid="ignore"):
            statistics = normalizer.fit(block[:, unscaled.scaled] for block in unscaled._encoded(table))
        finite = np.logical_and.reduce([np.isfinite(array) for array in statistics.values()])
        if not np.all(finite):
            name = unscaled.names[int(unscaled.scaled_places[int(np.argmin(finite))])].partition("[")[0]
            raise DataError(f"{name!r} holds numbers too large to scale; divide them first")
        return cls(unscaled.encoders, normalizer, statistics, target)

    @property
    def kind(self) -> TargetKind:
        return self.target.kind

    @property
    def classes(self) -> tuple[Label, ...]:
        """The labels in the order of their indices; empty where no classes are predicted."""
        return self.target.classes

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The feature columns, and the shape of one value of each."""
        return {encoder.name: encoder.shape for encoder in self.encoders}

    @property
    def options(self) -> dict[str, AnyColumnOption]:
        """What a spec would say of every column to have it become the inputs that it becomes."""
        options = {encoder.name: encoder.option() for encoder in self.encoders}
        return {name: option for name, option in options.items() if option is not None}

    @cached_property
    def n_in(self) -> int:
        return sum(encoder.width for encoder in self.encoders)

    @property
    def n_out(self) -> int:
        """The number of classes, of labels or of values."""
        return len(self.target.classes) or self.target.width

    @property
    def names(self) -> list[str]:
        """What every input is called."""
        return [name for encoder in self.encoders for name in encoder.names()]

    @cached_property
    def scaled_places(self) -> NDArray[np.intp]:
        """The inputs that are normalized."""
        marks = [place < encoder.scaled for encoder in self.encoders for place in range(encoder.width)]
        return np.flatnonzero(marks)

    @cached_property
    def scaled(self) -> slice | NDArray[np.intp]:
        """The same, as a view where all inputs are."""
        places = self.scaled_places
        return slice(None) if len(places) == self.n_in else places

    def features(self, table: Table, dtype: DTypeLike = np.float64, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Inputs, (m, n_in), C-contiguous, in `out` where it is given; columns of some shape in C order."""
        x = np.empty((table.rows, self.n_in), dtype) if out is None else out
        start = 0
        with np.errstate(over="ignore"):
            for block in self._encoded(table.select(self.shapes)):
                x[start : start + len(block)] = self._normalized(block)
                start += len(block)
        return x

    def gathered(self, table: Table, rows: NDArray[np.intp], dtype: DTypeLike, out: NDArray[Any]) -> None:
        """Inputs of some rows of a table that is in memory, (len(rows), n_in), in `out`."""
        if not (self.is_one_array and self._scale_at_once(table, rows, out)):
            self.features(table.take(rows).read(), dtype, out)

    def targets(self, table: Table, part: str = "train") -> NDArray[Any]:
        """Class indices, int64 (m,); or values or yes/no labels, float64 (m, k)."""
        values, held = self.target.answers(table)
        return self.target.encode(values, part, held)

    def rows(
        self, rows: Sequence[Row] | NDArray[Any], dtype: DTypeLike = np.float64, out: NDArray[Any] | None = None
    ) -> NDArray[Any]:
        """Inputs of rows to predict: objects keyed by feature, lists of all values in order, or one array.

        RowError names the row, counted from 0, and the field that is missing, unknown or not what it takes.
        """
        if isinstance(rows, np.ndarray) and self.is_plain:
            return self._plain_rows(rows, dtype, out)
        x = self.features(self._table(rows))
        strange = np.flatnonzero(~np.isfinite(x).all(axis=1))
        if strange.size:
            raise RowError(int(strange[0]), "", f"row {strange[0]} holds numbers that are not finite once scaled")
        with np.errstate(over="ignore"):
            return x.astype(dtype, copy=False)

    def table(self, rows: Sequence[Row] | NDArray[Any]) -> Table:
        """Rows to predict as the table that they would be in a dataset; raises as `rows` does."""
        return self._table(rows)

    def faults(self, rows: Sequence[Row], *, most: int = 20) -> list[RowError]:
        """Everything that is wrong with rows to predict, row by row and field by field, up to so many faults.

        `rows` raises only the first; this is for saying all of it at once.
        """
        return list(islice((fault for number, row in enumerate(rows) for fault in self._faults(number, row)), most))

    def to_json(self) -> dict[str, Any]:
        """All but the arrays."""
        target = self.target
        return {
            "features": [encoder.model_dump(mode="json") for encoder in self.encoders],
            "normalize": self.normalizer.model_dump(mode="json"),
            "target": {
                "name": target.name,
                "kind": target.kind,
                "classes": list(target.classes),
                "width": target.width,
            },
        }

    def arrays(self) -> dict[str, Array]:
        return {f"normalize.{name}": array for name, array in self.statistics.items()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any], arrays: Mapping[str, Array]) -> "Preprocessor":
        """What `to_json` and `arrays` returned; other arrays may be among them."""
        statistics = {name.removeprefix("normalize."): a for name, a in arrays.items() if name.startswith("normalize.")}
        target = document["target"]
        return cls(
            tuple(map(ENCODER.validate_python, document["features"])),
            NORMALIZER.validate_python(document["normalize"]),
            statistics,
            TargetColumn(target["name"], target["kind"], tuple(target["classes"]), target["width"]),
        )

    def _encoded(self, table: Table) -> Iterator[Array]:
        """The inputs before they are scaled, some rows at a time."""
        step = max(1, BLOCK // max(1, self.n_in))
        for start in range(0, table.rows, step):
            rows = table.take(slice(start, start + step)).read()
            block = np.empty((rows.rows, self.n_in))
            place = 0
            for encoder in self.encoders:
                held = rows.types[encoder.name]
                encoder.fill(rows.columns[encoder.name][:], held, block[:, place : place + encoder.width])
                place += encoder.width
            yield block

    @cached_property
    def is_one_array(self) -> bool:
        """Inputs are the numbers of a single column, whose rows are made inputs in one pass."""
        return len(self.encoders) == 1 and isinstance(self.encoders[0], TensorEncoder)

    @cached_property
    def _affine(self) -> tuple[Array, Array]:
        """What is subtracted from each input, and what it is divided by then."""
        shift, divisor = self.normalizer.affine(self.statistics)
        return np.full(self.n_in, shift, np.float64), np.full(self.n_in, divisor, np.float64)

    def _scale_at_once(self, table: Table, rows: NDArray[np.intp], out: NDArray[Any]) -> bool:
        """Gather, scale and round rows of a single array in one pass; False where they are of no kind for that."""
        from engine.kernels.scaling import can_scale, gather_scaled  # compiled code: loaded by those who use it

        (name,) = self.shapes
        stored = table.columns[name][:]
        x = stored.reshape(len(stored), -1)
        if not can_scale(x, out):
            return False
        gather_scaled(x, rows, *self._affine, out)
        return True

    def _normalized(self, block: Array) -> Array:
        if isinstance(self.scaled, slice):
            return self.normalizer.apply(block, self.statistics)
        if len(self.scaled):
            block[:, self.scaled] = self.normalizer.apply(block[:, self.scaled], self.statistics)
        return block

    def _table(self, rows: Sequence[Row] | NDArray[Any]) -> Table:
        """Rows to predict as the table that they would be."""
        if isinstance(rows, np.ndarray):
            return self._table_of_array(rows)
        if self._takes_numbers and any(self.shapes.values()):  # which may be sent flat
            return self._cut(np.array([self._row(number, row) for number, row in enumerate(rows)]))
        names = list(self.shapes)
        values: list[list[Any]] = [[] for _ in names]
        for number, row in enumerate(rows):
            if isinstance(row, Mapping):
                self._check_names(number, row)
                for column, name in zip(values, names, strict=True):
                    column.append(row[name])
                continue
            self._check_list(number, row)
            if len(row) != len(names):
                what = "numbers" if self._takes_numbers else "values"
                raise RowError(
                    number, "", f"row {number} is {shown(row)}; it takes an array of {len(names)} {what}, one a feature"
                )
            for column, value in zip(values, row, strict=True):
                column.append(value)
        columns: dict[str, Column] = {}
        types: dict[str, AnyColumnType] = {}
        for encoder, column in zip(self.encoders, values, strict=True):
            if isinstance(encoder, TensorEncoder):
                flat = [array_sent(number, encoder.name, value, encoder) for number, value in enumerate(column)]
                columns[encoder.name] = np.array(flat).reshape(len(rows), *encoder.shape)
                continue
            try:
                columns[encoder.name], types[encoder.name] = encoder.stored(column)
            except BadValue as bad:
                by_name = isinstance(rows[bad.place], Mapping)
                raise RowError(
                    bad.place, encoder.name if by_name else "",
                    f"row {bad.place}, field {encoder.name!r} {bad.detail}",
                ) from None  # fmt: skip
        return Table(columns, types)

    def _table_of_array(self, rows: NDArray[Any]) -> Table:
        if not self._takes_numbers:
            raise RowError(0, "", "an array of numbers has no categories; send objects keyed by feature, or lists")
        flat = self._flat_rows(rows)
        _check_finite(flat, 0, "holds NaN or infinity; send finite numbers")
        return self._cut(flat.astype(np.float64))

    def _flat_rows(self, rows: NDArray[Any]) -> NDArray[Any]:
        size = self._numbers
        if rows.ndim < 2 or rows.dtype.kind not in "fiub" or rows.size != len(rows) * size:
            raise RowError(0, "", f"an array {rows.shape} of {rows.dtype} is no table of rows of {size} numbers")
        return rows.reshape(len(rows), size)

    @cached_property
    def _numbers(self) -> int:
        """Numbers in a row of numbers."""
        return sum(map(prod, self.shapes.values()))

    @cached_property
    def is_plain(self) -> bool:
        """Whether inputs are the numbers of a row in order, all of them scaled."""
        return self._takes_numbers and isinstance(self.scaled, slice)

    def _plain_rows(self, rows: NDArray[Any], dtype: DTypeLike, out: NDArray[Any] | None) -> NDArray[Any]:
        """What `features` would make of them, a few at a time, without a table in between."""
        flat = self._flat_rows(rows)
        x = np.empty((len(rows), self.n_in), dtype) if out is None else out[: len(rows)]
        single = x.dtype == np.float32 and rows.dtype in (np.float32, np.uint8)
        divisor = self._divisor if single else None
        step = max(1, CACHED // max(1, self.n_in))
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(rows), step):
                given, made = flat[start : start + step], x[start : start + step]
                if divisor is not None:
                    block = np.divide(given, divisor, out=made, dtype=np.float32)
                else:
                    block = self.normalizer.apply(given.astype(np.float64), self.statistics)
                if (divisor is None or rows.dtype != np.uint8) and not np.isfinite(block).all():
                    _check_finite(given, start, "holds NaN or infinity; send finite numbers")
                    _check_finite(block, start, "holds numbers that are not finite once scaled")
                if block is not made:
                    made[...] = block
        return x

    @cached_property
    def _divisor(self) -> np.float32 | None:
        """What all inputs are divided by, where that is all and float32 holds it.

        The quotient of two float32 in float64, rounded to float32, is their quotient in float32: 53 ≥ 2·24 + 2 bits
        (Figueroa, "When is double rounding innocuous?", 1995).
        """
        shift, divisor = self.normalizer.affine(self.statistics)
        if not isinstance(shift, float) or not isinstance(divisor, float) or shift != 0:
            return None
        return np.float32(divisor) if float(np.float32(divisor)) == divisor else None

    @cached_property
    def _takes_numbers(self) -> bool:
        return all(isinstance(encoder, TensorEncoder | NumberEncoder) for encoder in self.encoders)

    def _cut(self, numbers: Array) -> Table:
        """The columns that lie next to each other in rows of numbers."""
        columns: dict[str, Column] = {}
        start = 0
        for name, shape in self.shapes.items():
            columns[name] = numbers[:, start : start + prod(shape)].reshape(len(numbers), *shape)
            start += prod(shape)
        return Table(columns)

    def _check_names(self, number: int, row: Mapping[str, Any]) -> None:
        for fault in self._strange_names(number, row):
            raise fault

    def _strange_names(self, number: int, row: Mapping[str, Any]) -> Iterator[RowError]:
        for name in row:
            if name not in self.shapes:
                yield RowError(
                    number, str(name), f"row {number} has the unknown field {str(name)[:80]!r}. "
                    f"{did_you_mean(str(name)[:80], self.shapes)}",
                )  # fmt: skip
        for name in self.shapes:
            if name not in row:
                yield RowError(number, name, f"row {number} lacks the field {name!r}; every feature is needed")

    def _faults(self, number: int, row: Row) -> Iterator[RowError]:
        """What is wrong with one row: its names, then the values of the fields that it has."""
        if isinstance(row, Mapping):
            yield from self._strange_names(number, row)
            given = [(encoder, encoder.name, row[encoder.name]) for encoder in self.encoders if encoder.name in row]
        elif isinstance(row, list | tuple) and len(row) == len(self.encoders) > 1:
            given = [(encoder, str(place), row[place]) for place, encoder in enumerate(self.encoders)]
        else:
            try:
                self._table([row])
            except RowError as fault:  # which calls the row 0
                detail = fault.detail.replace("row 0", f"row {number}", 1)
                yield RowError(number, fault.field, detail)
            return
        for encoder, field, value in given:
            try:
                if isinstance(encoder, TensorEncoder):
                    array_sent(number, encoder.name, value, encoder)
                else:
                    encoder.stored([value])
            except RowError as fault:
                yield RowError(number, field, fault.detail)
            except BadValue as bad:
                yield RowError(number, field, f"row {number}, field {encoder.name!r} {bad.detail}")

    def _check_list(self, number: int, row: object) -> None:
        if not isinstance(row, list | tuple | np.ndarray):
            what = "numbers" if self._takes_numbers else "values"
            raise RowError(number, "", f"row {number} is {shown(row)}; send an object or an array of {what}")

    def _row(self, number: int, row: Row | NDArray[Any]) -> Array:
        if isinstance(row, Mapping):
            self._check_names(number, row)
            return np.concatenate([self._sent(number, encoder, row[encoder.name]) for encoder in self.encoders])
        self._check_list(number, row)
        (first, *others) = self.encoders
        if isinstance(first, TensorEncoder) and not others:
            value = row[0] if holds_value(row, first) else row
            return array_sent(number, "", value, first)
        return flat_numbers(number, "", row, (self._numbers,))

    def _sent(self, number: int, encoder: AnyEncoder, value: Any) -> Array:
        if isinstance(encoder, TensorEncoder):
            return array_sent(number, encoder.name, value, encoder)
        return flat_numbers(number, encoder.name, value, encoder.shape)


def _check_finite(rows: NDArray[Any], first: int, says: str) -> None:
    """RowError for the first of these rows that holds another number; `first` is what the row at the top is called."""
    if not np.isfinite(rows).all():
        number = first + int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
        raise RowError(number, "", f"row {number} {says}")
