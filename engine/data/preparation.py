"""From a spec and its datasets to the arrays that training runs on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from engine import json_pointer
from engine.data.augmentation.augmenter import augmented_column
from engine.data.dataset import Dataset
from engine.data.encoding.column_options import IgnoredColumn, NumberColumn
from engine.data.encoding.matching import keep_scales, normalizer_of
from engine.data.encoding.preprocessor import Preprocessor
from engine.data.encoding.row_reading import count_marks
from engine.data.encoding.suitability import check_features, check_likeness, check_options
from engine.data.encoding.target_column import TargetColumn, TargetKind, answers_of, kind_of
from engine.data.holding import Holding, arranged, held
from engine.data.reading.unreadable import UnreadableRows
from engine.data.samples import suggest_dataset
from engine.data.specification import DataSpec, dataset_references
from engine.data.splits import GivenSplit
from engine.data.table import Table
from engine.errors import SpecError
from engine.spelling import did_you_mean

CHECKED = 1 << 20  # inputs made at a time to see whether they fit


@dataclass(frozen=True)
class PreparedData:
    """Inputs and answers by part, "train" always among them, "dev" and "test" where they exist.

    x is (m, n_in), C-contiguous, of the wanted dtype; y is int64 (m,) for classes, else (m, k) of that dtype.
    Where inputs are made batch by batch, x is empty, and tables has the raw rows of every part. marks says of each part
    how many rows have a field that was filled in, a label that train does not have, a number far outside train's.
    """

    preprocessor: Preprocessor
    x: Mapping[str, NDArray[Any]]
    y: Mapping[str, NDArray[Any]]
    tables: Mapping[str, Table] = field(default_factory=dict)
    holding: Holding = field(default_factory=Holding)
    marks: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def check(spec: DataSpec, datasets: Mapping[str, Dataset], *, loss: str = "auto") -> None:
    """Raise the SpecError that `prepare` would, reading columns' names and the target only.

    A class that the split keeps from train shows in `check_answers`, numbers too large to scale only in `prepare`.
    """
    for pointer, name in dataset_references(spec):
        check_reference(pointer, name, datasets)
    training = datasets[spec.train].training
    features = feature_names(spec, training)
    check_features(spec, training, features)
    augmented_column(spec.augment, training.select(features).shapes)
    for pointer, name in dataset_references(spec)[1:]:
        for column in (*features, spec.target):
            check_other(spec, training, datasets[name].training, column, pointer, name)
    learned_target(spec, training, target_kind(spec, training, loss), loss)


def check_reference(pointer: str, name: str, datasets: Mapping[str, Dataset]) -> None:
    """SpecError unless there is a dataset of this name."""
    if name not in datasets:
        raise SpecError(pointer, f"there is no dataset {name!r}. {suggest_dataset(name, datasets)}")


def check_other(spec: DataSpec, training: Table, other: Table, column: str, pointer: str, name: str) -> None:
    """SpecError unless another dataset has a column as the training rows have it."""
    if other.shapes.get(column) != training.shapes[column]:
        has = f"has it in shape {other.shapes[column]}" if column in other.shapes else "lacks it"
        raise SpecError(
            pointer, f"training has a column {column!r} of shape {training.shapes[column]}; dataset {name!r} {has}"
        )
    if column != spec.target:
        check_likeness(spec, training, other, [column], pointer, name)


def target_kind(spec: DataSpec, table: Table, loss: str) -> TargetKind:
    """What is predicted, as all rows of the dataset and the loss have it; what the spec calls a number is a value."""
    option = spec.columns.get(spec.target)
    answers, held = answers_of(spec.target, table, option)
    called_number = isinstance(option, NumberColumn) and loss == "auto"
    return kind_of(spec.target, answers, "mean_squared_error" if called_number else loss, held)


def learned_target(spec: DataSpec, train: Table, kind: TargetKind, loss: str) -> TargetColumn:
    """The target as the training rows have it."""
    option = spec.columns.get(spec.target)
    answers, held = answers_of(spec.target, train, option)
    return TargetColumn.learn(spec.target, answers, kind, loss, held, option)


def check_answers(target: TargetColumn, parts: Mapping[str, Table]) -> None:
    """SpecError for a class of dev or test that train lacks, or a row of theirs without an answer."""
    for part, table in parts.items():
        answers, held = target.answers(table)
        target.encode(answers, part, held)


def divided(spec: DataSpec, datasets: Mapping[str, Dataset], loss: str) -> tuple[TargetKind, dict[str, Table]]:
    """What is predicted, and the rows of every part."""
    dataset = datasets[spec.train]
    # Decided before the split: with fewer rows, integers to regress on could pass for classes.
    kind = target_kind(spec, dataset.training, loss)
    return kind, spec.split.parts(dataset, spec.target if kind == "classes" else None, datasets)


def resolved_columns(spec: DataSpec, preprocessor: Preprocessor) -> DataSpec:
    """The spec with what it left to the columns' types: how each of them becomes inputs."""
    return spec.model_copy(update={"columns": preprocessor.options | spec.columns})


USUAL_TARGETS = ("label", "target")
"""What datasets call the column to predict; named first where the one that is asked for is not there."""


def feature_names(spec: DataSpec, table: Table) -> list[str]:
    """The columns to predict from; SpecError points to the field that names a column wrongly."""
    named = [("/data/target", spec.target)]
    named += [(f"/data/split/{field}", name) for field, name in spec.split.columns.items()]
    named += [(f"/data/features/{place}", name) for place, name in enumerate(spec.features or ())]
    for pointer, name in named:
        if name not in table.columns:
            columns = sorted(table.columns, key=lambda column: column not in USUAL_TARGETS)
            raise SpecError(pointer, f"dataset {spec.train!r} has no column {name!r}. {did_you_mean(name, columns)}")
    check_options(spec, table)
    reserved = {spec.target: "the target"}
    for place_of, name in spec.split.columns.items():
        if name == spec.target:
            raise SpecError(f"/data/split/{place_of}", f"{name!r} is the target; rows are split by another column")
        reserved[name] = "the column that rows are split by"
    for place, name in enumerate(spec.features or ()):
        if name in reserved:
            raise SpecError(f"/data/features/{place}", f"{name!r} is {reserved[name]}, which predicts nothing; drop it")
    left_out = reserved.keys() | {name for name, o in spec.columns.items() if isinstance(o, IgnoredColumn)}
    features = list(spec.features) if spec.features else [name for name in table.columns if name not in left_out]
    if not features:
        raise SpecError("/data/features", f"dataset {spec.train!r} has no column to predict {spec.target!r} from")
    return features


def prepare(
    spec: DataSpec,
    datasets: Mapping[str, Dataset],
    *,
    loss: str = "auto",
    dtype: DTypeLike,
    memory_bytes: int | None = None,
    source: Preprocessor | None = None,
) -> PreparedData:
    """Split, learn the preprocessor on train, and make every part an array, if all of it fits into memory_bytes.

    The datasets are keyed as the spec names them; loss is the type of the spec's loss. With a source, whose weights
    are to be taken over, features that it has, too, are scaled and filled as it does.
    SpecError where the spec does not fit the data, DataError where numbers do not fit the dtype.
    """
    check(spec, datasets, loss=loss)
    features = feature_names(spec, datasets[spec.train].training)
    kind, parts = divided(spec, datasets, loss)
    parts = arranged({part: table.select([*features, spec.target]) for part, table in parts.items()}, memory_bytes)
    train = parts["train"]
    target = learned_target(spec, train, kind, loss)
    preprocessor = Preprocessor.learn(train.select(features), normalizer_of(spec, source), target, spec.columns)
    if source is not None:
        preprocessor = keep_scales(preprocessor, source)
    marks = {part: _marked(spec, preprocessor, table, part) for part, table in parts.items()}
    holding = held(parts, preprocessor.n_in, dtype, memory_bytes, augmented=bool(spec.augment))
    x = {part: preprocessor.features(t, dtype) for part, t in parts.items()} if holding.held == "memory" else {}
    y = {part: preprocessor.targets(table, part) for part, table in parts.items()}
    for part, table in parts.items():
        if not _fits(x[part] if x else None, preprocessor, table, dtype):
            raise SpecError(
                "/data/normalize",
                f"inputs of {part} do not fit into {np.dtype(dtype)} after {spec.normalize.type!r}; scale them down",
            )
    if target.kind != "classes":
        y = {part: array.astype(dtype, copy=False) for part, array in y.items()}
    tables = {} if x else {part: table.select(features) for part, table in parts.items()}
    return PreparedData(preprocessor, x, y, tables, holding, marks)


def _marked(spec: DataSpec, preprocessor: Preprocessor, table: Table, part: str) -> dict[str, int]:
    """What is to be said of the rows of a part; SpecError for cells that cannot be read as training rows were."""
    try:
        return count_marks(preprocessor.encoders, table)
    except UnreadableRows as bad:
        named = isinstance(spec.split, GivenSplit) and getattr(spec.split, part, None) is not None
        first = bad.faults[0].field
        raise SpecError(
            f"/data/split/{part}" if named else json_pointer.pointer(["data", "columns", first]),
            f"rows of {part} hold what those of train do not: " + "; ".join(fault.detail for fault in bad.faults)
            + "; correct them, or say in data.columns how the column is to be read",
        ) from bad  # fmt: skip


def _fits(x: NDArray[Any] | None, preprocessor: Preprocessor, table: Table, dtype: DTypeLike) -> bool:
    """Whether all inputs are finite; of rows that are not held as inputs, those of wider columns are made once."""
    if x is not None:
        return bool(np.isfinite(x).all())
    if not any(np.result_type(table.columns[name].dtype, dtype) != dtype for name in preprocessor.shapes):
        return True
    step = max(1, CHECKED // max(1, preprocessor.n_in))
    return all(
        np.isfinite(preprocessor.features(table.take(slice(start, start + step)).read(), dtype)).all()
        for start in range(0, table.rows, step)
    )
