"""The preprocessor as ONNX: raw values become the network's inputs inside the graph, in float64 as in training.

A model of numbers alone takes one matrix, `input` (rows × values, arrays flat in C order). Where a column holds
labels, every column is an input of its own, under its name: labels as strings (rows × 1), numbers and booleans as
numbers (rows × 1), arrays in their shape. NaN, and for labels what `engine.data.formats.cell_values` takes for
missing, is a missing value; an input that no training row lacked passes NaN on to the answer.
"""

from math import prod

import numpy as np
from numpy.typing import DTypeLike, NDArray

from engine.data.encoding.encoders import AnyEncoder, OneHotEncoder, OrdinalEncoder, TensorEncoder
from engine.data.encoding.normalizers import (
    MinMaxNormalizer,
    NoNormalizer,
    ScaleNormalizer,
    StandardNormalizer,
    divisor,
)
from engine.data.encoding.preprocessor import Preprocessor
from engine.data.formats.cell_values import MISSING
from engine.errors import ExportImpossible
from engine.export.onnx_graph import MACHINE_LEARNING, Graph

MATRIX = "input"
LABELED = OneHotEncoder | OrdinalEncoder
# As people write them: a graph cannot compare without regard to case.
MISSING_WORDS = sorted({form for word in MISSING for form in (word, word.upper(), word.capitalize())})


def takes_matrix(preprocessor: Preprocessor) -> bool:
    """Whether all features are numbers, so that a row is one vector."""
    return not any(isinstance(encoder, LABELED) for encoder in preprocessor.encoders)


def network_inputs(graph: Graph, preprocessor: Preprocessor, dtype: DTypeLike) -> str:
    """The value that holds the network's inputs (rows × n_in), in the network's dtype."""
    if takes_matrix(preprocessor):
        encoded = _matrix(graph, preprocessor, dtype)
    else:
        columns = [_column(graph, encoder, dtype) for encoder in preprocessor.encoders]
        encoded = graph.node("Concat", *columns, axis=1) if len(columns) > 1 else columns[0]
    return graph.cast(_normalized(graph, preprocessor, encoded), dtype)


def _matrix(graph: Graph, preprocessor: Preprocessor, dtype: DTypeLike) -> str:
    width = sum(prod(shape) for shape in preprocessor.shapes.values())
    numbers = graph.cast(graph.input(MATRIX, dtype, [width]), np.float64)
    # Where each encoded input comes from: a raw column, or behind them the mark that it is missing.
    sources: list[int] = []
    marked: list[int] = []
    fill = np.full(width, np.nan)
    column = 0
    for encoder in preprocessor.encoders:
        values = prod(encoder.shape)
        sources += range(column, column + values)
        if encoder.indicator:
            sources.append(width + len(marked))
            marked.append(column)
            fill[column] = encoder.fill_with
        column += values
    if not marked:
        return numbers
    missing = graph.node("IsNaN", numbers)
    filled = graph.node("Where", missing, graph.constant(fill), numbers)
    marks = graph.node("Gather", missing, graph.constant(np.array(marked)), axis=1)
    together = graph.node("Concat", filled, graph.cast(marks, np.float64), axis=1)
    return graph.node("Gather", together, graph.constant(np.array(sources)), axis=1)


def _column(graph: Graph, encoder: AnyEncoder, dtype: DTypeLike) -> str:
    """The inputs that one raw column becomes (rows × width), before they are scaled."""
    if isinstance(encoder, OneHotEncoder):
        return _one_hot(graph, encoder)
    if isinstance(encoder, TensorEncoder):
        raw = graph.cast(graph.input(encoder.name, dtype, encoder.shape), np.float64)
        return graph.node("Reshape", raw, graph.constant(np.array([0, encoder.width])))
    if isinstance(encoder, OrdinalEncoder):
        places = _places(graph, encoder, unseen=-1)
        missing = graph.node("Less", places, graph.constant(np.array(0)))
        numbers = graph.cast(places, np.float64)
    else:
        numbers = graph.cast(graph.input(encoder.name, dtype, [1]), np.float64)
        if not encoder.indicator:
            return numbers
        missing = graph.node("IsNaN", numbers)
    filled = graph.node("Where", missing, graph.constant(np.array(float(encoder.fill_with))), numbers)
    return graph.node("Concat", filled, graph.cast(missing, np.float64), axis=1) if encoder.indicator else filled


def _one_hot(graph: Graph, encoder: OneHotEncoder) -> str:
    places = _places(graph, encoder, unseen=len(encoder.labels))
    missing = graph.node("Less", places, graph.constant(np.array(0)))
    place = graph.node("Where", missing, graph.constant(np.array(encoder.fill_with)), places)
    # OneHot itself is not implemented for doubles everywhere; comparing with 0, 1, 2, … is.
    is_label = graph.node("Equal", place, graph.constant(np.arange(len(encoder.labels) + 1)))
    marks = [is_label, missing] if encoder.indicator else [is_label]
    return graph.cast(graph.node("Concat", *marks, axis=1) if len(marks) > 1 else is_label, np.float64)


def _places(graph: Graph, encoder: LABELED, unseen: int) -> str:
    """The place of each label among the known ones; −1 where it is missing."""
    words = [word for word in MISSING_WORDS if word not in encoder.labels]
    return graph.node(
        "LabelEncoder",
        graph.input(encoder.name, np.str_, [1]),
        domain=MACHINE_LEARNING,
        keys_strings=[*encoder.labels, *words],
        values_int64s=[*range(len(encoder.labels)), *[-1] * len(words)],
        default_int64=unseen,
    )


def _normalized(graph: Graph, preprocessor: Preprocessor, encoded: str) -> str:
    shift, spread = _scale(preprocessor)
    if shift is not None:
        encoded = graph.node("Sub", encoded, graph.constant(shift))
    return encoded if spread is None else graph.node("Div", encoded, graph.constant(spread))


def _scale(preprocessor: Preprocessor) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """What is subtracted from every input, and what it is divided by then; 0 and 1 where it is not scaled."""
    statistics, places = preprocessor.statistics, preprocessor.scaled_places
    shift, spread = np.zeros(preprocessor.n_in), np.ones(preprocessor.n_in)
    if not len(places):
        return None, None
    match preprocessor.normalizer:
        case NoNormalizer():
            return None, None
        case ScaleNormalizer(divide_by=number):
            spread[places] = number
            return None, spread
        case StandardNormalizer():
            shift[places], spread[places] = statistics["mean"], divisor(statistics["std"])
        case MinMaxNormalizer():
            shift[places], spread[places] = statistics["minimum"], divisor(statistics["range"])
        case other:
            raise ExportImpossible(f"the normalizer {type(other).__name__} has no ONNX form yet")
    return shift, spread
