"""A network's answers as the columns of a table: for CSV, for Parquet, for whoever wants no object a row."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.encoding.row_reading import NOTHING, RowMarks
from engine.model import Model
from engine.serving import chosen_classes, chosen_labels

Columns = dict[str, NDArray[Any]]


def answer_columns(
    model: Model, answers: NDArray[np.floating], top_k: int | None = None, threshold: float | None = None
) -> Columns:
    """Columns by name of answers (m × C probabilities or m × k values), each m long.

    Classes: `label` and `probability_…` for each; or, with top_k, `label_1 probability_1 label_2 …`, the likeliest
    first. Several labels: for each whether it is on, and its probability. Values: `value`, or `value_0 value_1 …`.
    With a threshold the label is decided by it; a ranking is not.
    """
    kind, names = model.network.target.kind, model.network.target.labels
    if kind == "values":
        if answers.shape[1] == 1:
            return {"value": answers[:, 0]}
        return {f"value_{place}": answers[:, place] for place in range(answers.shape[1])}
    if top_k is not None:
        return _likeliest(answers, np.array(names), top_k)
    probabilities = {f"probability_{name}": answers[:, place] for place, name in enumerate(names)}
    if kind == "multilabel":
        return dict(zip(names, chosen_labels(answers, threshold).T, strict=True)) | probabilities
    return {"label": labels(model)[chosen_classes(answers, threshold)], **probabilities}


def mark_columns(marks: RowMarks, rows: int, kinds: Sequence[str] | None = None) -> Columns:
    """A column for each kind of mark, or for those that are named: of every row the names of its fields, after `;`."""
    found = marks.by_kind
    return {
        kind: np.array([";".join(found.get(kind, NOTHING).get(row, ())) for row in range(rows)], object)
        for kind in (found if kinds is None else kinds)
    }


def labels(model: Model) -> NDArray[Any]:
    """The classes, in the order of their indices: numbers where they are numbers, else as they are called."""
    classes = model.preprocessor.classes
    if classes and all(type(label) is int for label in classes):
        return np.array(classes)
    return np.array(model.network.target.labels)


def likeliest(answers: NDArray[np.floating], top_k: int) -> NDArray[np.intp]:
    """The places of the k largest answers of every row, (m × k), the largest first; of equals the earlier."""
    return np.argsort(-answers, axis=1, kind="stable")[:, :top_k]


def cells(column: NDArray[Any]) -> list[str]:
    """A column as text: `true` and `false`, labels, numbers with so many digits that the same are read again."""
    if column.dtype.kind == "b":
        return ["true" if value else "false" for value in column.tolist()]
    if column.dtype == np.float32:
        return list(map("%.9g".__mod__, column.tolist()))  # nine digits tell all float32 apart
    return list(map(str, column.tolist()))


def _likeliest(answers: NDArray[np.floating], names: NDArray[Any], top_k: int) -> Columns:
    places = likeliest(answers, top_k)
    chosen = np.take_along_axis(answers, places, axis=1)
    columns: Columns = {}
    for rank in range(places.shape[1]):
        columns[f"label_{rank + 1}"] = names[places[:, rank]]
        columns[f"probability_{rank + 1}"] = chosen[:, rank]
    return columns
