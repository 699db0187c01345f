"""Columns of every kind: how their cells are written in training, and in how many other ways they are sent later."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from random import Random

from tests.roads.cell import MARKERS, Cell, Json, missing

CALM = "calm numbers"  # never missing, never spelled in another way: company for another column
Option = Mapping[str, object]
Written = Callable[[Decimal], Sequence[str]]
"""The spellings of a number; the first is that of the training rows."""


@dataclass(frozen=True)
class Column:
    """A column of one kind; `markers` are what stands for missing in rows that are sent."""

    name: str
    kind: str
    option: Option | None
    lacks: bool  # whether training rows lack it now and then
    markers: Sequence[str]

    def trained(self, random: Random) -> Cell:
        """A cell of the training rows."""
        if self.lacks and random.random() < 0.15:
            return missing(random.choice(self.markers))
        return self.usual(random)

    def usual(self, random: Random) -> Cell:
        """A cell that is there, spelled as the training rows are."""
        raise NotImplementedError

    def other(self, random: Random) -> Cell:
        """The same kind of cell, spelled in any way; perhaps one that training rows did not have."""
        raise NotImplementedError

    def unreadable(self, random: Random) -> Cell | None:
        """A cell that cannot be read in this column; None where all can."""
        raise NotImplementedError

    def strength(self, cell: Cell) -> float:
        """What the target learns from a cell."""
        raise NotImplementedError

    def drawn(self, random: Random) -> Cell:
        """A cell of a row that is sent."""
        if self.kind == CALM:
            return self.usual(random)
        if random.random() < 0.12:
            return missing(random.choice(self.markers))
        return self.other(random)


def _point(value: Decimal) -> str:
    return f"{value:.2f}"


def _grouped(value: Decimal) -> str:
    return f"{value:,.2f}"


def _comma(value: Decimal) -> str:
    return _point(value).replace(".", ",")


def _dotted(value: Decimal) -> str:
    return _grouped(value).translate({ord(","): ".", ord("."): ","})


NUMBERS: Mapping[str, tuple[Written, tuple[int, int]]] = {
    CALM: (lambda v: (_point(v),), (100, 99_999)),
    "plain numbers": (
        lambda v: (
            _point(v),
            f" {_point(v)} ",
            f"+{_point(v)}",
            f"{_point(v)}0",
            f"{v / 10:.3f}e1",
            f"{v / 10:.3f}E+1",
        ),
        (100, 99_999),
    ),
    "whole numbers": (
        lambda v: (f"{v:.0f}", f"{v:.1f}", f"+{v:.0f}", f"{v:.0f}.", f"{v:.0f}.00"),
        (3_000, 400_000),
    ),
    "few whole numbers": (lambda v: (f"{v:.0f}", f"{v:.1f}", f"{v:.0f}.000", f" {v:.0f}"), (100, 600)),
    "decimal commas": (lambda v: (_comma(v), f" {_comma(v)}", f"+{_comma(v)}"), (100, 99_999)),
    "thousands": (lambda v: (_grouped(v), _point(v), f" {_grouped(v)}"), (100_000, 99_999_999)),
    "dots for thousands": (lambda v: (_dotted(v), _comma(v)), (100_000, 99_999_999)),
    "currency": (lambda v: (f"${_grouped(v)}", f"$ {_grouped(v)}", _grouped(v), f"${_point(v)}"), (100_000, 9_999_999)),
    "euros": (lambda v: (f"{_comma(v)} €", f"{_comma(v)}€", _comma(v)), (100, 99_999)),
    "percent": (lambda v: (f"{_point(v)}%", f"{_point(v)} %", _point(v)), (100, 9_999)),
    "units": (lambda v: (f"{_point(v)} kg", f"{_point(v)}kg", _point(v)), (100, 9_999)),
    "timestamps": (lambda v: (f"{v:.0f}",), (170_000_000_000, 170_001_000_000)),
}
ODD = ("<80", "unknown", "about ten", "70;5", "12 apples", "1.2.3", "--5", "#5")


@dataclass(frozen=True)
class NumberColumn(Column):
    """Numbers in hundredths, written in one form."""

    write: Written = field(repr=False, default=lambda value: (str(value),))
    least: int = 0
    most: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether a file of numbers can hold it as numbers."""
        return self.kind in (CALM, "plain numbers", "whole numbers", "few whole numbers", "timestamps")

    def usual(self, random: Random) -> Cell:
        return self._cell(random, 0.0)

    def other(self, random: Random) -> Cell:
        return self._cell(random, 1.0)

    def unreadable(self, random: Random) -> Cell | None:
        text = random.choice(ODD)
        return None if self.kind == CALM else Cell(text, text, "unreadable")

    def strength(self, cell: Cell) -> float:
        return 0.0 if cell.plain is None else (cell.number * 100 - self.least) / (self.most - self.least)

    def _cell(self, random: Random, any_spelling: float) -> Cell:
        value = Decimal(random.randint(self.least, self.most)) / 100
        if self.kind in ("whole numbers", "few whole numbers", "timestamps"):
            value = Decimal(int(value))
        spellings = self.write(value)
        text = random.choice(spellings) if random.random() < any_spelling else spellings[0]
        plain = int(value) if value == int(value) else float(value)
        return Cell(text, plain, "known", float(value))


@dataclass(frozen=True)
class Labels:
    """Labels as the training rows have them, other spellings that are equal, and some that are not."""

    known: Mapping[str, Sequence[str]]
    unseen: Sequence[str]
    typed: Mapping[str, Sequence[Json]] = field(default_factory=dict)  # JSON values that are equal to a label
    strange: Sequence[Json] = ()  # JSON values that are equal to none
    option: Option | None = None


LABELS: Mapping[str, Labels] = {
    "words": Labels(
        {"red": (" red", "red "), "green": ("green ",), "Dark blue": (" Dark blue ",), "élan": ()}, ("purple", "RED")
    ),
    "words after a space": Labels({" >50K": (">50K",), " <=50K": ("<=50K",), " n.k.": ("n.k.", "n.k. ")}, (">90K",)),
    "separators in words": Labels(
        {"a\u2028b": (), "c\u2029d\u0085e": (), "x, y": (" x, y",), 'say "hi"': (), "this;that": (), "p|q": ()},
        ("u\u2028v",),
    ),
    "lines in words": Labels({"Main St\n12": (), "Side St\n7": (), "nowhere": ()}, ("Main St",)),
    "codes": Labels(
        {"007": (" 007",), "0099": (), "1234": ("1234.0",), "08": ()}, ("7", "99", "8.0"), {"1234": (1234,)}
    ),
    "decimals and a word": Labels(
        {"1.0": ("1", "1.00"), "2.0": ("2", "2.00"), "3.0": ("3",), "unknown": (" unknown",)},
        ("9.0", "9", "Unknown"),
        {"1.0": (1, 1.0), "2.0": (2, 2.0)},
        (9, 9.5),
    ),
    "truth values and a word": Labels(
        {"True": ("true", "TRUE"), "False": ("false",), "Unknown": ()},
        ("maybe", "T"),
        {"True": (True,), "False": (False,)},
    ),
    "whole numbers as labels": Labels(
        {"1": ("1.0", "1.00"), "2": ("2.0",), "3": (" 3",), "4": ()},
        ("9", "9.0", "x"),
        {"1": (1, 1.0), "2": (2,), "4": (4, 4.0)},
        (9, 9.25),
        {"type": "category"},
    ),
    "integers beyond 2^53": Labels(
        {"9007199254740992": (), "9007199254740993": (), "228050282620001181": (), "228050282620001182": ()},
        ("9007199254740995",),
        {"9007199254740993": (9007199254740993,), "228050282620001181": (228050282620001181,)},
        (9007199254740991,),
        {"type": "category"},
    ),
    "codes like 1e2641": Labels({"1e2641": (), "000be5": (), "9535e6": (), "655e38": ()}, ("1e999", "9535000000")),
    "two labels of one value": Labels(
        {"1": (), "1.0": (), "2": ("2.0", "2.00")}, ("1.00", "3"), {"1": (1,), "2": (2,)}, (3,), {"type": "category"}
    ),
    "sizes in order": Labels(
        {"S": (" S",), "M": (), "L": ("L ",), "XL": ()},
        ("XS", "m", "xl"),
        option={"type": "category", "encoding": "ordinal", "order": ["S", "M", "L", "XL"]},
    ),
    "grades in order": Labels(
        {"1": ("1.0",), "2": ("2.0", " 2"), "3": ()},
        ("4", "0", "one"),
        {"1": (1, 1.0), "3": (3,)},
        (4, 0),
        {"type": "category", "encoding": "ordinal", "order": ["3", "2", "1"]},
    ),
}


@dataclass(frozen=True)
class LabelColumn(Column):
    """One of some labels."""

    labels: Labels = field(repr=False, default_factory=lambda: Labels({}, ()))

    @property
    def is_ordered(self) -> bool:
        return "order" in (self.option or {})

    def usual(self, random: Random) -> Cell:
        text = random.choice(list(self.labels.known))
        return Cell(text, text.strip())

    def other(self, random: Random) -> Cell:
        if not self.is_ordered and random.random() < 0.2:
            return self._strange(random, "unseen")
        label = random.choice(list(self.labels.known))
        text = random.choice((label, *self.labels.known[label]))
        return Cell(text, random.choice((label.strip(), *self.labels.typed.get(label, ()))))

    def unreadable(self, random: Random) -> Cell | None:
        return self._strange(random, "unreadable") if self.is_ordered else None

    def strength(self, cell: Cell) -> float:
        places = {label.strip(): place for place, label in enumerate(self.labels.known)}
        return (places.get(str(cell.plain), 0) % 2) - 0.5

    def _strange(self, random: Random, fate: str) -> Cell:
        if self.labels.strange and random.random() < 0.5:
            value = random.choice(self.labels.strange)
            return Cell(str(value), value, fate)  # type: ignore[arg-type]
        text = random.choice(self.labels.unseen)
        return Cell(text, text, fate)  # type: ignore[arg-type]


TRUTHS: Mapping[str, tuple[str, str, Option | None]] = {
    "True and False": ("True", "False", None),
    "true and false": ("true", "false", None),
    "TRUE and FALSE": ("TRUE", "FALSE", None),
    "yes and no": ("yes", "no", {"type": "boolean"}),
    "1 and 0": ("1", "0", {"type": "boolean"}),
    "t and f": ("t", "f", {"type": "boolean"}),
}
YES, NO = ("true", "True", "YES", "y", "1", "1.0", "on", " t"), ("false", "FALSE", "no", "N", "0", "0.0", "off", "f ")


@dataclass(frozen=True)
class TruthColumn(Column):
    """Yes and no, in one spelling while training and in any later."""

    words: tuple[str, str] = ("true", "false")

    def usual(self, random: Random) -> Cell:
        truth = random.random() < 0.5
        return Cell(self.words[0] if truth else self.words[1], truth, "known", float(truth))

    def other(self, random: Random) -> Cell:
        truth = random.random() < 0.5
        return Cell(random.choice(YES if truth else NO), random.choice((truth, int(truth))), "known", float(truth))

    def unreadable(self, random: Random) -> Cell:
        text = random.choice(("maybe", "2", "yes and no"))
        return Cell(text, text, "unreadable")

    def strength(self, cell: Cell) -> float:
        return 0.5 if cell.plain else -0.5


DATES = ("dates", "dates and times")


@dataclass(frozen=True)
class DateColumn(Column):
    """Days of some years, perhaps with a time."""

    def usual(self, random: Random) -> Cell:
        moment = datetime(2001, 1, 1) + timedelta(minutes=random.randrange(20 * 365 * 24 * 60))
        if self.kind == "dates":
            moment = datetime.combine(moment, time())
        text = moment.date().isoformat() if self.kind == "dates" else moment.isoformat(" ", "minutes")
        days = (moment - datetime(1970, 1, 1)) / timedelta(days=1)
        return Cell(text, text, "known", days)

    def other(self, random: Random) -> Cell:
        cell = self.usual(random)
        text = random.choice((cell.text, f" {cell.text} ", cell.text.replace(" ", "T")))
        return Cell(text, cell.plain, "known", cell.number)

    def unreadable(self, random: Random) -> Cell:
        text = random.choice(("soon", "2024-13-45", "tomorrow at 7"))
        return Cell(text, text, "unreadable")

    def strength(self, cell: Cell) -> float:
        return 0.0 if cell.plain is None else int(cell.text[3]) / 10


KINDS = (*NUMBERS, *LABELS, *TRUTHS, *DATES)
NAMES = ("x", "größe (cm)", "a/b", "~tilde", 'the "kind"', "two words", "Zeile 1", "x_1", "Q1: why?", "100%")


def draw_column(random: Random, kind: str, place: int, *, words_for_missing: bool) -> Column:
    """A column of a kind; where null says it, as in JSON, words stand for missing numbers alone."""
    name, lacks = f"{random.choice(NAMES)} {place}", kind != CALM and random.random() < 0.4
    if kind in NUMBERS:
        write, (least, most) = NUMBERS[kind]
        option = random.choice((None, None, {"type": "number", "missing": "most_frequent"}))
        if kind == "few whole numbers":
            option = option or {"type": "number"}
        return NumberColumn(name, kind, option, lacks, MARKERS, write, least, most)
    markers = MARKERS if words_for_missing else ("", " ")
    if kind in TRUTHS:
        yes, no, said = TRUTHS[kind]
        return TruthColumn(name, kind, said, lacks, markers, (yes, no))
    if kind in DATES:
        return DateColumn(name, kind, {"type": "date"}, lacks, markers)
    labels = LABELS[kind]
    return LabelColumn(name, kind, labels.option, lacks, markers, labels)
