"""Whether what a model is asked about still looks like what it learned from: the mismatch check, on requests."""

from engine.data.checks.mismatch import CLEAR, FEWEST, ROWS, Mismatch, mismatches
from engine.data.checks.parts import Part, Parts, Source, spread
from engine.data.column_types import AnyColumnType, BooleanType, CategoryType, NumberType
from engine.data.encoding.conversions import as_boolean, as_category, as_number
from engine.data.encoding.encoders import BooleanEncoder, NumberEncoder, TensorEncoder
from engine.data.encoding.preprocessor import Preprocessor
from engine.data.table import Column, Table

__all__ = ["FEWEST", "drift", "has_drifted"]


def drift(preprocessor: Preprocessor, train: Table, requests: Table) -> Mismatch | None:
    """How separable training rows and requested rows are; None where there are too few of either."""
    features = list(preprocessor.shapes)
    tables = [_as_encoded(preprocessor, table) for table in (train, requests)]
    sources = tuple(Source(title, table) for title, table in zip(("train", "requests"), tables, strict=True))
    parts = {source.title: Part(((number, spread(source.table.rows, ROWS)),)) for number, source in enumerate(sources)}
    return next(iter(mismatches(Parts(sources, parts), features, None)), None)


def has_drifted(found: Mismatch) -> bool:
    """Whether the two are told apart more easily than chance explains."""
    return found.auc > CLEAR and found.auc - found.margin > CLEAR - 0.03


def _as_encoded(preprocessor: Preprocessor, table: Table) -> Table:
    """The features in memory, each of the type that the model reads it as."""
    sample = table.select(preprocessor.shapes).take(spread(table.rows, ROWS)).read()
    columns: dict[str, Column] = {}
    types: dict[str, AnyColumnType] = {}
    for encoder in preprocessor.encoders:
        name = encoder.name
        values, held = sample.columns[name][:], sample.types[name]
        if isinstance(encoder, TensorEncoder):
            columns[name], types[name] = values, held
        elif isinstance(encoder, NumberEncoder):
            columns[name], types[name] = as_number(name, values, held), NumberType()
        elif isinstance(encoder, BooleanEncoder):
            columns[name], types[name] = as_boolean(name, values, held), BooleanType()
        else:
            codes, labels = as_category(name, values, held)
            columns[name], types[name] = codes, CategoryType(labels=labels)
    return Table(columns, types)
