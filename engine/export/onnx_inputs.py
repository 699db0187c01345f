"""The preprocessor as ONNX: raw values become the network's inputs inside the graph, in float64 as in training.

A model of numbers alone takes one matrix, `input` (rows × values, arrays flat in C order). Where a column holds
labels or dates, every column is an input of its own, under its name: labels as strings (rows × 1), numbers and
booleans as numbers (rows × 1), dates as days since 1970-01-01 (rows × 1), arrays in their shape. NaN, and for labels
what the column's `CellReading` takes for missing, is a missing value, filled as the training rows taught. A graph
compares strings letter by letter: beside each label it knows the spellings of a missing value in any case, a whole
number with a point, and truth values as programs write them. An ordinal label outside the order, which the service
refuses, makes the answer NaN. Numbers are float64 where float32 would round those of the training rows too much.
"""

from collections.abc import Iterator
from itertools import product
from math import prod

import numpy as np
from numpy.typing import DTypeLike, NDArray

from engine.data.encoding.date_encoder import DateEncoder
from engine.data.encoding.encoders import AnyEncoder, OneHotEncoder, OrdinalEncoder, TensorEncoder
from engine.data.encoding.normalizers import (
    MinMaxNormalizer,
    NoNormalizer,
    ScaleNormalizer,
    StandardNormalizer,
    divisor,
)
from engine.data.encoding.preprocessor import Preprocessor
from engine.data.reading.cell_values import YES_NO, plain_value
from engine.data.reading.label_places import label_places
from engine.errors import ExportImpossible
from engine.export.onnx_dates import date_inputs
from engine.export.onnx_graph import MACHINE_LEARNING, Graph
from engine.export.raw_dtype import raw_dtype

MATRIX = "input"
LABELED = OneHotEncoder | OrdinalEncoder
LONGEST_WORD = 5  # letters of a spelling that is known in any case; of longer ones the usual ones are


def takes_matrix(preprocessor: Preprocessor) -> bool:
    """Whether all features are numbers, so that a row is one vector."""
    return not any(isinstance(encoder, LABELED | DateEncoder) for encoder in preprocessor.encoders)


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
    numbers = graph.cast(graph.input(MATRIX, raw_dtype(preprocessor.encoders, dtype), [width]), np.float64)
    # Where each encoded input comes from: a raw column, or behind them the mark that it is missing.
    sources: list[int] = []
    marked: list[int] = []
    fill = np.full(width, np.nan)
    markers: dict[float, list[int]] = {}  # numbers that stand for a missing value, and the columns in which they do
    column = 0
    for encoder in preprocessor.encoders:
        values = prod(encoder.shape)
        sources += range(column, column + values)
        if not isinstance(encoder, TensorEncoder):
            fill[column] = encoder.fill_with
            for number in encoder.reading.missing_numbers:
                markers.setdefault(number, []).append(column)
        if encoder.indicator:
            sources.append(width + len(marked))
            marked.append(column)
        column += values
    if np.isnan(fill).all():
        return numbers
    missing = graph.node("IsNaN", numbers)
    for number, columns in markers.items():
        said = graph.node("Equal", numbers, graph.constant(np.array(number)))
        here = graph.node("And", said, graph.constant(np.isin(np.arange(width), columns)))
        missing = graph.node("Or", missing, here)
    filled = graph.node("Where", missing, graph.constant(fill), numbers)
    if not marked:
        return filled
    marks = graph.node("Gather", missing, graph.constant(np.array(marked)), axis=1)
    together = graph.node("Concat", filled, graph.cast(marks, np.float64), axis=1)
    return graph.node("Gather", together, graph.constant(np.array(sources)), axis=1)


def _column(graph: Graph, encoder: AnyEncoder, dtype: DTypeLike) -> str:
    """The inputs that one raw column becomes (rows × width), before they are scaled."""
    if isinstance(encoder, OneHotEncoder):
        return _one_hot(graph, encoder)
    if isinstance(encoder, DateEncoder):
        return date_inputs(graph, encoder)
    if isinstance(encoder, TensorEncoder):
        raw = graph.cast(graph.input(encoder.name, dtype, encoder.shape), np.float64)
        return graph.node("Reshape", raw, graph.constant(np.array([0, encoder.width])))
    if isinstance(encoder, OrdinalEncoder):
        places = _places(graph, encoder, unseen=len(encoder.labels))
        missing = graph.node("Less", places, graph.constant(np.array(0)))
        # one entry more, for a label outside the order: no number
        meanings = graph.constant(np.array([*range(len(encoder.labels)), np.nan]))
        numbers = graph.node("Gather", meanings, graph.node("Max", places, graph.constant(np.array(0))))
    else:
        numbers = graph.cast(graph.input(encoder.name, raw_dtype([encoder], dtype), [1]), np.float64)
        missing = graph.node("IsNaN", numbers)
        for number in encoder.reading.missing_numbers:
            said = graph.node("Equal", numbers, graph.constant(np.array(number)))
            missing = graph.node("Or", missing, said)
    filled = graph.node("Where", missing, graph.constant(np.array(float(encoder.fill_with))), numbers)
    return graph.node("Concat", filled, graph.cast(missing, np.float64), axis=1) if encoder.indicator else filled


def _one_hot(graph: Graph, encoder: OneHotEncoder) -> str:
    places = _places(graph, encoder, unseen=len(encoder.labels))
    missing = graph.node("Less", places, graph.constant(np.array(0)))
    place = graph.node("Where", missing, graph.constant(np.array(int(encoder.fill_with))), places)
    # OneHot itself is not implemented for doubles everywhere; comparing with 0, 1, 2, … is.
    is_label = graph.cast(graph.node("Equal", place, graph.constant(np.arange(len(encoder.labels)))), np.float64)
    unseen = graph.node("Equal", place, graph.constant(np.array(len(encoder.labels))))
    shares = graph.constant(np.array([encoder.shares]))
    known = graph.node("Where", unseen, shares, is_label)
    return graph.node("Concat", known, graph.cast(missing, np.float64), axis=1) if encoder.indicator else known


def _places(graph: Graph, encoder: LABELED, unseen: int) -> str:
    """The place of each label among the known ones; −1 where it is missing."""
    keys = dict(_spellings(encoder))
    return graph.node(
        "LabelEncoder",
        graph.input(encoder.name, np.str_, [1]),
        domain=MACHINE_LEARNING,
        keys_strings=list(keys),
        values_int64s=list(keys.values()),
        default_int64=unseen,
    )


def _spellings(encoder: LABELED) -> Iterator[tuple[str, int]]:
    """The texts that a graph can know, and the place of each; −1 for what is missing. The last of equals counts."""
    places = label_places(encoder.labels)
    for label in encoder.labels:
        value = plain_value(label)
        others = {form for word in YES_NO for form in (word, word.upper(), word.capitalize())}
        if value is not None and value == value.to_integral_value():
            others |= {f"{int(value)}{point}" for point in ("", ".", ".0", ".00")}
        for other in others:
            if (place := places.place(other)) >= 0:
                yield other, place
    for place, label in enumerate(encoder.labels):
        yield label, place
    for word in ("", *encoder.reading.missing):
        few = len(word) <= LONGEST_WORD
        forms = map("".join, product(*({letter, letter.upper()} for letter in word))) if few else (word, word.upper())
        for form in forms:
            yield form, -1


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
