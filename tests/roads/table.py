"""A table to learn from: columns of drawn kinds, and a target that follows from them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from tests.roads.cell import Cell, Json
from tests.roads.column import CALM, KINDS, NUMBERS, Column, NumberColumn, TruthColumn, draw_column
from tests.roads.file_format import Format, Row

TARGET = "the target"
Answered = Callable[[float, Random], Cell]
"""The target's cell of a score between 0 and 1."""


def _of_labels(*labels: str) -> Answered:
    def cell(score: float, random: Random) -> Cell:
        label = labels[min(int(score * len(labels)), len(labels) - 1)]
        return Cell(label, label.strip())

    return cell


def _number(score: float, random: Random) -> Cell:
    value = round(40 * score + random.gauss(0, 1), 2)
    return Cell(f"{value:.2f}", value, "known", value)


def _comma(score: float, random: Random) -> Cell:
    cell = _number(score, random)
    return Cell(cell.text.replace(".", ","), cell.text.replace(".", ","), "known", cell.number)


TARGETS: Mapping[str, Answered] = {
    "numbers": _number,
    "numbers with decimal commas": _comma,
    "words": _of_labels("low", "high"),
    "words after a space": _of_labels(" <=50K", " >50K"),
    "several words": _of_labels("a", "b and c", "d"),
    "truth values": _of_labels("False", "True"),
    "whole numbers": _of_labels("0", "1", "2"),
    "codes": _of_labels("01", "02"),
}
NUMBERED = ("numbers", "numbers with decimal commas")


@dataclass(frozen=True)
class Table:
    """Rows to train on and rows to test on, and how the columns are to be read."""

    columns: Sequence[Column]
    target: str
    form: Format
    typed: bool
    train: Sequence[Row]
    test: Sequence[Row]

    @property
    def is_numeric(self) -> bool:
        """Whether all features are numbers or truth values."""
        return all(isinstance(column, NumberColumn | TruthColumn) for column in self.columns)

    @property
    def predicts_numbers(self) -> bool:
        return self.target in NUMBERED

    @property
    def options(self) -> dict[str, object]:
        return {column.name: dict(column.option) for column in self.columns if column.option is not None}

    @property
    def all_columns(self) -> list[Column]:
        """The features, and the target as a column of labels or of numbers as it stands."""
        return [*self.columns, _TargetColumn(TARGET, self.target, None, False, ())]


class _TargetColumn(Column):
    """Only a name in a file."""


def draw_table(random: Random, kinds: Sequence[str] = (), most: int = 5) -> Table:
    """A table with a column of each kind, or of some kinds drawn."""
    form: Format = random.choice(("csv", "csv", "csv", "json", "ndjson", "parquet", "xlsx"))
    chosen = [*kinds] or [random.choice(KINDS) for _ in range(random.randint(2, most))]
    if random.random() < 0.3 and not kinds:
        chosen = [random.choice([*NUMBERS]) for _ in chosen]
    if len(chosen) == 1:
        chosen.append(CALM)
    columns = [draw_column(random, kind, at, words_for_missing=form == "csv") for at, kind in enumerate(chosen)]
    target = random.choice([*TARGETS])
    typed = form != "csv" and random.random() < 0.7
    train = [_row(columns, target, random, trained=True) for _ in range(random.randint(60, 140))]
    test = [_row(columns, target, random, trained=False) for _ in range(random.randint(20, 40))]
    known = {row[TARGET].text for row in train}
    test = [row for row in test if target in NUMBERED or row[TARGET].text in known]
    return Table(columns, target, form, typed, train, test)


def draw_row(columns: Sequence[Column], random: Random) -> Row:
    """A row that is sent."""
    return {column.name: column.drawn(random) for column in columns}


def _row(columns: Sequence[Column], target: str, random: Random, *, trained: bool) -> Row:
    row = {column.name: (column.trained if trained else column.drawn)(random) for column in columns}
    score = (sum(column.strength(row[column.name]) for column in columns) / len(columns) + 0.5) / 1.5
    score = 0.8 * min(max(score, 0.0), 1.0) + 0.2 * random.random()
    return {**row, TARGET: TARGETS[target](score, random)}


def said(label: Json) -> str:
    """A label as text, whatever type it came as."""
    text = str(label).strip()
    return text.lower() if text.lower() in ("true", "false") else text
