"""A model as the protocol sees it: the tensors that it takes and answers.

A model of numbers alone takes one matrix, `input` (rows × values); its columns one by one, by their names, will do as
well. Where a column holds labels or dates, every column is a tensor of its own: labels and dates are BYTES, booleans
BOOL, numbers FP64.
"""

from collections.abc import Mapping
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from engine import Model
from engine.data.encoding.date_encoder import DateEncoder
from engine.data.encoding.encoders import AnyEncoder, BooleanEncoder, LabelEncoder, NumberEncoder, TensorEncoder
from engine.export.raw_dtype import raw_dtype
from engine.serving import chosen_classes, chosen_labels
from engine.spelling import nearest
from service.inference.datatypes import BYTES, Values, name_of
from service.inference.pictures import picture_rows
from service.inference.refusal import refused
from service.inference.request import Tensor

Rows = NDArray[np.generic] | list[list[JsonValue]]
"""As `Model.inputs` takes them."""

MATRIX = "input"


class TensorInfo(NamedTuple):
    """What metadata says of a tensor; −1 stands for any number of rows."""

    name: str
    datatype: str
    shape: list[int]


def inputs_of(model: Model) -> list[TensorInfo]:
    """The tensors to send."""
    encoders = model.preprocessor.encoders
    if _takes_matrix(model):
        width = sum(prod(encoder.shape) for encoder in encoders)
        return [
            TensorInfo(MATRIX, name_of(np.empty(0, raw_dtype(encoders, model.parameters.theta.dtype))), [-1, width])
        ]
    return [TensorInfo(one.name, _datatype(one), [-1, *(one.shape or (1,))]) for one in encoders]


def outputs_of(model: Model) -> list[TensorInfo]:
    """The tensors that are answered."""
    target, datatype = model.network.target, name_of(model.parameters.theta)
    answers = [-1, model.preprocessor.n_out]
    if target.kind == "classes":
        label = name_of(np.array(model.preprocessor.classes))
        return [TensorInfo("label", label, [-1]), TensorInfo("probabilities", datatype, answers)]
    if target.kind == "multilabel":
        return [TensorInfo("labels", "BOOL", answers), TensorInfo("probabilities", datatype, answers)]
    return [TensorInfo("value", datatype, answers)]


def raw_rows(model: Model, tensors: Mapping[str, Tensor]) -> Rows:
    """The rows that the tensors are, as `Model.inputs` takes them; refused where one is missing, strange or unequal."""
    encoders = model.preprocessor.encoders
    if (pictures := picture_rows(model, tensors)) is not None:
        return pictures
    if _takes_matrix(model) and _is_matrix(model, tensors):
        tensor = next(iter(tensors.values()))
        return _matrix(model, tensor, sum(prod(encoder.shape) for encoder in encoders))
    names = [encoder.name for encoder in encoders]
    known = f"{MATRIX!r}, or {', '.join(names[:20])}" if _takes_matrix(model) else ", ".join(names[:20])
    missing = [name for name in names if name not in tensors]
    for name, tensor in tensors.items():
        if name not in names and (nearest(name[:80], missing) or len(missing) == len(names)):
            raise refused(f"/inputs/{tensor.place}/name", f"{name[:80]!r} is no input of this model; it takes {known}")
    needed = [one.name for one in encoders if isinstance(one, TensorEncoder) and one.name not in tensors]
    if needed or len(missing) == len(names):
        lacking = needed or missing
        raise refused("/inputs", f"lacks {', '.join(map(repr, lacking[:20]))}; this model takes {known}")
    columns = {one.name: _column(one, tensors[one.name]) for one in encoders if one.name in tensors}
    if len({len(column) for column in columns.values()}) > 1:
        counts = ", ".join(f"{len(column)} of {name!r}" for name, column in list(columns.items())[:20])
        raise refused("/inputs", f"has {counts}; every input needs the same number of rows")
    absent = [None] * len(next(iter(columns.values())))
    return [list(row) for row in zip(*(columns.get(name, absent) for name in names), strict=True)]


def ignored(model: Model, tensors: Mapping[str, Tensor]) -> list[str]:
    """The tensors that the model does not predict from."""
    if _takes_matrix(model) and _is_matrix(model, tensors):
        return []
    return [name for name in tensors if name not in model.preprocessor.shapes]


def outputs(model: Model, answers: NDArray[np.floating], threshold: float | None = None) -> dict[str, Values]:
    """The tensors of the answers, by name; a threshold decides if one is given."""
    target = model.network.target
    if target.kind == "classes":
        classes = np.array(model.preprocessor.classes)
        return {"label": classes[chosen_classes(answers, threshold)], "probabilities": answers}
    if target.kind == "multilabel":
        return {"labels": chosen_labels(answers, threshold), "probabilities": answers}
    return {"value": answers}


def ranked(model: Model, probabilities: NDArray[np.floating], most: int) -> NDArray[np.object_]:
    """The classification extension: of every row the best answers as `probability:place:label`, best first."""
    names = model.network.target.labels
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :most]
    texts = np.empty(order.shape, object)
    for row, places in enumerate(order.tolist()):
        texts[row] = [f"{probabilities[row, place]:f}:{place}:{names[place]}" for place in places]
    return texts


def _takes_matrix(model: Model) -> bool:
    return not any(isinstance(encoder, LabelEncoder | DateEncoder) for encoder in model.preprocessor.encoders)


def _is_matrix(model: Model, tensors: Mapping[str, Tensor]) -> bool:
    """One tensor is the matrix, whatever it is called, unless it is the only column."""
    if len(tensors) != 1:
        return False
    name = next(iter(tensors))
    return name == MATRIX or [encoder.name for encoder in model.preprocessor.encoders] != [name]


def _datatype(encoder: AnyEncoder) -> str:
    if isinstance(encoder, LabelEncoder | DateEncoder):
        return BYTES
    return "BOOL" if isinstance(encoder, BooleanEncoder) and not encoder.indicator else "FP64"


def _matrix(model: Model, tensor: Tensor, width: int) -> Rows:
    array = tensor.array
    where = f"/inputs/{tensor.place}"
    if tensor.datatype == BYTES:
        raise refused(f"{where}/datatype", f"is BYTES; this model takes numbers: {name_of(model.parameters.theta)}")
    if array.ndim < 2 or prod(array.shape[1:]) != width:
        raise refused(f"{where}/shape", f"is {list(array.shape)}; this model takes [rows, {width}]")
    flat = array.reshape(len(array), width)
    plain = all(isinstance(encoder, TensorEncoder | NumberEncoder) for encoder in model.preprocessor.encoders)
    return flat if plain else [_values(row) for row in flat]


def _column(encoder: AnyEncoder, tensor: Tensor) -> list[JsonValue]:
    """The values of one column, a row each."""
    array, shape = tensor.array, encoder.shape
    if prod(array.shape[1:]) != prod(shape) or not array.ndim:
        wanted = ["rows", *(shape or (1,))]
        raise refused(
            f"/inputs/{tensor.place}/shape",
            f"is {list(array.shape)}; {encoder.name!r} takes [{', '.join(map(str, wanted))}]",
        )
    return [value.tolist() for value in array.reshape(len(array), *shape)] if shape else _values(array.reshape(-1))


def _values(values: Values) -> list[JsonValue]:
    """Plain values; a missing one is NaN in numbers and null here."""
    listed: list[JsonValue] = values.tolist()
    return [None if value != value else value for value in listed]
