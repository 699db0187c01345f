"""What turns rows into a network's inputs: learned on the training rows, kept in the model.

Prediction needs nothing else: how each column becomes inputs, how those are scaled, what is answered.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from pydantic import TypeAdapter

from engine.data.encoding.column_options import AnyColumnOption
from engine.data.encoding.encoder_learning import Options, learn_encoders
from engine.data.encoding.encoders import AnyEncoder, Encoder, NumberEncoder, TensorEncoder
from engine.data.encoding.normalizers import AnyNormalizer, Array, Normalizer, Statistics
from engine.data.encoding.row_reading import (
    NO_MARKS,
    ReadRows,
    Row,
    RowMarks,
    flat_rows,
    read_rows,
    read_table,
    takes_numbers,
)
from engine.data.encoding.target_column import Label, TargetColumn, TargetKind
from engine.data.table import Table
from engine.errors import DataError, RowError

BLOCK = 1 << 20  # inputs made at a time: eight megabytes as float64
CACHED = 1 << 16  # of rows to predict: as float64 they stay in a core's cache
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
            for block in self._encoded(table.select([name for name in self.shapes if name in table.columns])):
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

    def read_table(self, table: Table) -> ReadRows:
        """What the features of a table in memory mean to the encoders; raises UnreadableRows."""
        return read_table(self.encoders, table)

    def read_rows(self, rows: Sequence[Row] | NDArray[Any]) -> ReadRows:
        """What rows to predict mean to the encoders: objects keyed by feature, lists of all values in order, an array.

        UnreadableRows names the first rows and fields that are not what they should be.
        """
        return read_rows(self.encoders, rows)

    def inputs(self, read: ReadRows, dtype: DTypeLike = np.float64) -> NDArray[Any]:
        """Inputs, (m, n_in), of what was read; RowError where a number is not finite once scaled."""
        with np.errstate(over="ignore", invalid="ignore"):
            x = self._normalized(self._unscaled(read))
            strange = np.flatnonzero(~np.isfinite(x).all(axis=1))
            if strange.size:
                raise RowError(int(strange[0]), "", f"row {strange[0]} holds numbers that are not finite once scaled")
            return x.astype(dtype, copy=False)

    def rows(
        self, rows: Sequence[Row] | NDArray[Any], dtype: DTypeLike = np.float64, out: NDArray[Any] | None = None
    ) -> tuple[NDArray[Any], RowMarks]:
        """Inputs of rows to predict, and what is to be said of them; raises as `read_rows` and `inputs` do."""
        if isinstance(rows, np.ndarray) and self.is_plain and (x := self._plain_rows(rows, dtype, out)) is not None:
            return x, self._plain_marks(rows)
        read = self.read_rows(rows)
        return self.inputs(read, dtype), read.marks()

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
                "one_hot": target.one_hot,
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
            TargetColumn(
                target["name"],
                target["kind"],
                tuple(target["classes"]),
                target["width"],
                one_hot=target["one_hot"],
            ),
        )

    def _unscaled(self, read: ReadRows) -> Array:
        """The inputs of what was read before they are scaled."""
        block = np.empty((read.rows, self.n_in))
        place = 0
        for encoder, column in zip(self.encoders, read.columns, strict=True):
            encoder.encode(column, block[:, place : place + encoder.width])
            place += encoder.width
        return block

    def _encoded(self, table: Table) -> Iterator[Array]:
        """The inputs before they are scaled, some rows at a time."""
        step = max(1, BLOCK // max(1, self.n_in))
        for start in range(0, table.rows, step):
            rows = table.take(slice(start, start + step)).read()
            yield self._unscaled(self.read_table(rows))

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

    @cached_property
    def is_plain(self) -> bool:
        """Whether inputs are the numbers of a row in order, all of them scaled."""
        marked = any(isinstance(one, NumberEncoder) and one.reading.missing_numbers for one in self.encoders)
        return takes_numbers(self.encoders) and isinstance(self.scaled, slice) and not marked

    def _plain_rows(self, rows: NDArray[Any], dtype: DTypeLike, out: NDArray[Any] | None) -> NDArray[Any] | None:
        """What `features` would make of them, a few at a time, without a table; None where one is not finite."""
        flat = flat_rows(self.encoders, rows)
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
                    return None
                if block is not made:
                    made[...] = block
        return x

    def _plain_marks(self, rows: NDArray[Any]) -> RowMarks:
        bounds = self._bounds
        if bounds is None:
            return NO_MARKS
        flat = rows.reshape(len(rows), -1)
        far = (flat < bounds[0]) | (flat > bounds[1])
        if not far.any():
            return NO_MARKS
        columns = np.array([encoder.name for encoder in self.encoders for _ in range(prod(encoder.shape))])
        return RowMarks(outside={int(row): columns[far[row]].tolist() for row in np.flatnonzero(far.any(axis=1))})

    @cached_property
    def _bounds(self) -> tuple[Array, Array] | None:
        """Beyond which numbers of a plain row are far outside the training range; None where there are no such."""
        if not any(isinstance(encoder, NumberEncoder) for encoder in self.encoders):
            return None
        bounds = [
            encoder.bounds if isinstance(encoder, NumberEncoder) else (-np.inf, np.inf)
            for encoder in self.encoders
            for _ in range(prod(encoder.shape))
        ]
        low, high = np.array(bounds).T
        return low, high

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
