"""Whether what a model is asked about still looks like what it learned from: the mismatch check, on requests."""

from collections.abc import Sequence

import numpy as np

from engine.data.checks.mismatch import CLEAR, FEWEST, ROWS, Mismatch, mismatches
from engine.data.checks.parts import Part, Parts, Source, spread
from engine.data.column_types import AnyColumnType, BooleanType, CategoryType
from engine.data.encoding.encoders import BooleanEncoder, LabelEncoder
from engine.data.encoding.preprocessor import Preprocessor
from engine.data.encoding.row_reading import ReadRows, Row
from engine.data.table import Column, Table

UNSEEN = "\0unseen"  # no label of an upload can be called so
__all__ = ["FEWEST", "drift", "has_drifted"]


def drift(preprocessor: Preprocessor, train: Table, requests: Sequence[Row]) -> Mismatch | None:
    """How separable training rows and requested rows are; None where there are too few of either."""
    features = list(preprocessor.shapes)
    tables = [_as_read(preprocessor, train), _meant(preprocessor.read_rows(requests))]
    sources = tuple(Source(title, table) for title, table in zip(("train", "requests"), tables, strict=True))
    parts = {source.title: Part(((number, spread(source.table.rows, ROWS)),)) for number, source in enumerate(sources)}
    return next(iter(mismatches(Parts(sources, parts), features, None)), None)


def has_drifted(found: Mismatch) -> bool:
    """Whether the two are told apart more easily than chance explains."""
    return found.auc > CLEAR and found.auc - found.margin > CLEAR - 0.03


def _as_read(preprocessor: Preprocessor, table: Table) -> Table:
    """The features of a sample of rows in memory, as the model reads them."""
    return _meant(preprocessor.read_table(table.select(preprocessor.shapes).take(spread(table.rows, ROWS)).read()))


def _meant(read: ReadRows) -> Table:
    """What was read as columns to compare: numbers, truth values, labels and one label for all unseen ones."""
    columns: dict[str, Column] = {}
    types: dict[str, AnyColumnType] = {}
    for encoder, values in zip(read.encoders, read.columns, strict=True):
        columns[encoder.name] = values
        if isinstance(encoder, LabelEncoder):
            columns[encoder.name] = np.where(np.isnan(values), -1, values).astype(np.int32)
            types[encoder.name] = CategoryType(labels=(*encoder.labels, UNSEEN))
        elif isinstance(encoder, BooleanEncoder):
            types[encoder.name] = BooleanType()
    return Table(columns, types)
