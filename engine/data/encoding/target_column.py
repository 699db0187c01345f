"""The column to predict, as the network's answers see it: class numbers or values."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.data.column_types import AnyColumnType, BooleanType, CategoryType, NumberType, TextType, plain
from engine.data.encoding.column_options import (
    AnyColumnOption,
    BooleanColumn,
    CategoryColumn,
    DateColumn,
    IgnoredColumn,
    NumberColumn,
)
from engine.data.encoding.conversions import as_boolean, as_number, texts_of
from engine.data.encoding.date_encoder import as_days, date_format_of
from engine.data.encoding.encoder_learning import reading_of
from engine.data.reading.label_places import places_among
from engine.data.table import Table
from engine.errors import SpecError

Label = int | str | bool
TargetKind = Literal["classes", "values", "multilabel"]
FEW = 20  # so many distinct integers are taken for classes where the loss does not say
MOST_CLASSES = 10_000
UNSEEN = -2

Column = NDArray[Any]


@dataclass(frozen=True)
class TargetColumn:
    """What training knows about the target; an example has one class, or `width` values or yes/no labels."""

    name: str
    kind: TargetKind
    classes: tuple[Label, ...] = ()  # in the order of their indices
    width: int = 1
    option: AnyColumnOption | None = None  # what the spec says of the column
    one_hot: bool = False  # the classes came as columns of 0 and 1

    def answers(self, table: Table) -> tuple[Column, AnyColumnType]:
        """The stored values, as the spec wants them read, and their type."""
        return answers_of(self.name, table, self.option)

    @classmethod
    def learn(
        cls,
        name: str,
        column: Column,
        kind: TargetKind,
        loss: str = "auto",
        held: AnyColumnType | None = None,
        option: AnyColumnOption | None = None,
    ) -> "TargetColumn":
        """The classes are those of the training rows; SpecError where there is nothing to tell apart."""
        held = held or NumberType()
        _check_complete(name, column, held, "train")
        if kind != "classes":
            return cls(name, kind, width=1 if column.ndim == 1 else column.shape[1], option=option)
        classes = _labels(np.unique(column), held)
        if len(classes) < 2:
            raise SpecError(
                "/data/target",
                f"every training row has {name} = {shown(classes[0])}; there is nothing to tell apart",
            )
        if loss == "sigmoid_cross_entropy" and len(classes) > 2:
            raise SpecError(
                "/loss/type",
                f"sigmoid_cross_entropy tells 2 classes apart, but {name!r} has {len(classes)}; use "
                f"softmax_cross_entropy",
            )
        if len(classes) > MOST_CLASSES:
            raise SpecError(
                "/loss/type",
                f"{name!r} has {len(classes)} classes; at most {MOST_CLASSES} are possible; "
                f"mean_squared_error predicts a value",
            )
        one_hot = isinstance(held, NumberType) and held.classes
        return cls(name, kind, classes, option=option, one_hot=one_hot)

    def encode(self, column: Column, part: str, held: AnyColumnType | None = None) -> NDArray[Any]:
        """Class indices, int64 (m,), or float64 (m, width). SpecError for a class not seen in train."""
        held = held or NumberType()
        _check_complete(self.name, column, held, part)
        if self.kind != "classes":
            return np.ascontiguousarray(column.reshape(len(column), -1), np.float64)
        index, texts = texts_of(self.name, column, held)
        places = places_among(tuple(map(class_text, self.classes)), texts, UNSEEN)[index]
        if (unseen := np.flatnonzero(places == UNSEEN)).size:
            raise SpecError(
                "/data/target",
                f"{self.name} = {_quoted(texts[index[unseen[0]]], held)} occurs in {part}, but in no row of train; a "
                f"network learns only the classes it sees: move such rows to train or leave them out",
            )
        return places


def answers_of(name: str, table: Table, option: AnyColumnOption | None) -> tuple[Column, AnyColumnType]:
    """The values of a target column and their type, once what the spec says of the column is done."""
    values, held = table.whole(name), table.types[name]
    if option is None or isinstance(option, IgnoredColumn):
        return plain(values, held)
    reading = reading_of(held, option)
    match option:
        case DateColumn():
            return as_days(name, values, held, date_format_of(name, held, option), reading), NumberType(reading=reading)
        case NumberColumn():
            return as_number(name, values, held, reading), NumberType(reading=reading)
        case BooleanColumn():
            return as_boolean(name, values, held, reading), BooleanType(reading=reading)
        case CategoryColumn():
            places, texts = texts_of(name, values, held)
            missing = np.array([*(reading.is_missing(text) for text in texts), True])
            return np.where(missing[places], -1, places).astype(np.int32), CategoryType(labels=texts, reading=reading)


def shown(label: Label) -> str:
    """A class as it stands in a message."""
    return class_text(label) if isinstance(label, bool) else repr(label)


def class_text(label: Label) -> str:
    """A class as a cell would say it."""
    return str(label).lower() if isinstance(label, bool) else str(label)


def _quoted(text: str, held: AnyColumnType) -> str:
    return repr(text) if isinstance(held, CategoryType | TextType) else text


def _labels(values: Column, held: AnyColumnType) -> tuple[Label, ...]:
    """The classes that distinct stored values stand for."""
    if isinstance(held, CategoryType):
        return tuple(held.labels[code] for code in values.tolist())
    return tuple(bool(value) if isinstance(held, BooleanType) else int(value) for value in values.tolist())


def _check_complete(name: str, column: Column, held: AnyColumnType, part: str) -> None:
    if held.kind != "tensor" and (missing := int(np.count_nonzero(held.missing(column)))):
        raise SpecError(
            "/data/target",
            f"{name!r} is missing in {missing} of {len(column)} rows of {part}; leave those rows out of the dataset, "
            "or predict another column",
        )


def kind_of(name: str, column: Column, loss: str, held: AnyColumnType | None = None) -> TargetKind:
    """What the loss makes of the column; "auto" makes few integers classes, and rows of 0 and 1 labels.

    SpecError where the loss cannot be used for these values.
    """
    match held:
        case TextType():
            raise SpecError(
                "/data/target",
                f"{name!r} holds {held.holds}, such as {held.example}; a target is classes or numbers: "
                f"override it in data.columns, as a category or a number",
            )
        case CategoryType() if loss == "mean_squared_error":
            raise SpecError(
                "/loss/type", f"{name!r} holds the classes {', '.join(map(repr, held.labels[:3]))}; mean_squared_error "
                "predicts numbers: use softmax_cross_entropy, or override the column's type in data.columns",
            )  # fmt: skip
        case CategoryType():
            return "classes"
        case BooleanType() if loss != "mean_squared_error":
            return "classes"
        case NumberType(classes=True):
            if loss == "mean_squared_error" or (loss == "sigmoid_cross_entropy" and len(np.unique(column)) > 2):
                raise SpecError(
                    "/loss/type", f"{name!r} was one-hot and is read as classes, which {loss} does not tell apart; use "
                    "softmax_cross_entropy, or upload the dataset with one_hot=false to predict a value a column",
                )  # fmt: skip
            return "classes"
        case _:
            pass
    if column.ndim > 2:
        raise SpecError("/data/target", f"{name!r} has the shape {column.shape[1:]} a row; predict one axis at most")
    if loss == "mean_squared_error":
        return "values"
    if column.ndim == 2:
        yes_no = bool(((column == 0) | (column == 1)).all())
        if loss == "softmax_cross_entropy" or (loss != "auto" and not yes_no):
            raise SpecError(
                "/loss/type",
                f"{name!r} has {column.shape[1]} values a row, for which {loss} cannot be used; "
                f"mean_squared_error predicts values, sigmoid_cross_entropy labels of 0 and 1",
            )
        return "multilabel" if yes_no else "values"
    present = column[~np.isnan(column)] if column.dtype.kind == "f" else column
    broken = present[present != np.round(present)] if column.dtype.kind == "f" else column[:0]
    if loss == "auto":
        return "values" if broken.size or len(np.unique(present)) > FEW else "classes"
    if broken.size:
        raise SpecError(
            "/loss/type",
            f"{loss} needs whole numbers as classes, but {name!r} holds {broken[0].item():g}; use mean_squared_error",
        )
    return "classes"
