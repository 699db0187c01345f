"""How the rows of a dataset are divided into train, dev and test."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, GetCoreSchemaHandler, StringConstraints, model_validator
from pydantic_core import CoreSchema, core_schema

from engine.component import Component
from engine.data.column_types import BooleanType, CategoryType, TextType, plain
from engine.data.dataset import PARTS, Dataset
from engine.data.formats.column_names import MAX_NAME
from engine.data.split_advice import advised_shares
from engine.data.table import Table
from engine.errors import SpecError
from engine.family import Family

Name = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME)]
DatasetName = Annotated[str, StringConstraints(min_length=1, max_length=75)]  # a name, and perhaps its version
Values = NDArray[Any]
LearnedShare = Annotated[float, Field(gt=0, le=1)]
HeldOutShare = Annotated[float, Field(ge=0, lt=1)]

MARKS = {"train": 0, "dev": 1, "val": 1, "valid": 1, "validation": 1, "test": 2}
"""What a column of words may call the parts, in any case."""


class GivenSplit(Component):
    """The parts that the dataset came with, or other datasets in their place."""

    type: Literal["given"] = Field(
        "given",
        description="Use the parts as they are given: when the test set is fixed, or the rows to do well on "
        "come from elsewhere. Without a dev set nothing is held out of train.",
    )
    dev: DatasetName | None = Field(
        None,
        description="Id or name of the dataset to tune on; null uses the dev part that the data came with.",
    )
    test: DatasetName | None = Field(
        None,
        description="Id or name of the dataset to test on; null uses the test part that the data came with.",
    )

    @property
    def columns(self) -> dict[str, str]:
        """The columns that divide the rows, by the field that names each; none is predicted from."""
        return {}

    def parts(self, dataset: Dataset, strata: str | None, others: Mapping[str, Dataset]) -> dict[str, Table]:
        """Another dataset serves with its part of that name, or with all its rows where it has no parts."""
        parts = {"train": dataset.training} | {p: t for p, t in dataset.parts.items() if p != "all"}
        for part, name in (("dev", self.dev), ("test", self.test)):
            if name is not None:
                other = others[name]
                table = other.parts.get(part if other.given else "all")
                if table is None:
                    raise SpecError(
                        f"/data/split/{part}",
                        f"dataset {name!r} has the parts {', '.join(other.parts)}, but no {part} part; name "
                        f"one that has, or one without parts",
                    )
                parts[part] = table
        return {part: parts[part] for part in PARTS if part in parts}


class FractionSplit(Component):
    """Shuffled fractions of all rows; where they are stratified, of the rows of every class."""

    type: Literal["fractions"] = Field(
        "fractions", description="Divide the rows at random: when all come from one source."
    )
    train: LearnedShare | None = Field(
        0.6, description="Share of the rows to learn from; null for all three: as advised for their number."
    )
    dev: HeldOutShare | None = Field(0.2, description="Share of the rows to choose and stop by; 0 for none.")
    test: HeldOutShare | None = Field(0.2, description="Share of the rows for the last, unbiased measure; 0 for none.")
    stratify: bool = Field(
        True,
        description="Keep the share of every class in every part, within one row; a class of a single row "
        "goes to train. Without effect where the target is not a class.",
    )
    group_by: Name | None = Field(
        None,
        description="A column of groups: all rows of one person, day or device come into one part, so that dev and "
        "test measure what is new. Shares and strata are then kept as well as whole groups allow.",
    )
    seed: int = Field(0, ge=0, lt=2**63, description="The same seed divides the same rows alike, on any machine.")

    @model_validator(mode="after")
    def fractions_make_a_whole(self) -> Self:
        given = [share for share in (self.train, self.dev, self.test) if share is not None]
        if not given:
            return self
        if len(given) < 3:
            raise ValueError("give train, dev and test, or null for all three, which leaves them to the advice")
        if abs(sum(given) - 1) > 1e-9:
            raise ValueError(f"train + dev + test must be 1, not {sum(given):.10g}")
        return self

    @property
    def columns(self) -> dict[str, str]:
        return {} if self.group_by is None else {"group_by": self.group_by}

    def shares(self, rows: int) -> NDArray[np.float64]:
        """The fractions of train, dev and test of so many rows."""
        if self.train is None or self.dev is None or self.test is None:
            return np.array(advised_shares(rows))
        return np.array([self.train, self.dev, self.test])

    def parts(self, dataset: Dataset, strata: str | None, others: Mapping[str, Dataset]) -> dict[str, Table]:
        """Rows in a random order; strata is the column of classes, if any. An empty part is left out."""
        if dataset.given and self == FractionSplit():  # nobody asked for fractions: what was given stands
            return GivenSplit().parts(dataset, strata, others)
        table = dataset.pooled
        order = np.random.Generator(np.random.PCG64(self.seed)).permutation(table.rows)
        shares = self.shares(table.rows)
        stratified = strata is not None and self.stratify
        classes = plain(table.whole(strata), table.types[strata])[0] if stratified and strata else np.zeros(table.rows)
        if self.group_by is None:
            part = _divided(classes[order], shares)
        else:
            part = _divided_by_group(_groups(table, self.group_by)[order], classes[order], shares)
        index = {name: order[part == number] for number, name in enumerate(PARTS)}
        return {name: table.take(rows) for name, rows in index.items() if rows.size}


class ColumnSplit(Component):
    """A column of the dataset says which part a row belongs to."""

    type: Literal["column"] = Field(
        "column",
        description="Divide the rows by a column: when rows of one person, day or device must stay together.",
    )
    column: Name = Field(description="The column that says the part: 0 for train, 1 for dev, 2 for test.")

    @property
    def columns(self) -> dict[str, str]:
        return {"column": self.column}

    def parts(self, dataset: Dataset, strata: str | None, others: Mapping[str, Dataset]) -> dict[str, Table]:
        """Every row in the part that its column says, in the dataset's order."""
        table = dataset.pooled
        marks = self._marks(table)
        index = {name: np.flatnonzero(marks == number) for number, name in enumerate(PARTS)}
        if not index["train"].size:
            raise SpecError("/data/split/column", f"column {self.column!r} puts no row into train; mark some with 0")
        return {name: table.take(rows) for name, rows in index.items() if rows.size}

    def _marks(self, table: Table) -> Values:
        """0, 1 or 2 for every row."""
        kind, shape = table.types[self.column], table.shapes[self.column]
        if shape:
            raise self._strange(f"values of shape {shape}")
        marks, kind = plain(table.whole(self.column), kind)
        if isinstance(kind, CategoryType | TextType):
            places = [MARKS.get(label.strip().lower(), -1) for label in kind.labels or ()]
            meant: Values = np.array([*places, -1])[np.minimum(marks, len(places))]  # a missing mark is −1: the last
        elif isinstance(kind, BooleanType):
            raise self._strange("true and false, and either could be train: write 0 or train, 1 or dev, 2 or test")
        else:
            meant = marks
        strange = ~np.isin(meant, range(len(PARTS)))
        if np.any(strange):
            found = kind.decoded(marks[strange][:1])[0]
            raise self._strange("no value in a row" if found is None else repr(found))
        return meant

    def _strange(self, found: str) -> SpecError:
        return SpecError(
            "/data/split/column",
            f"column {self.column!r} says the part of a row by 0 (train), 1 (dev) or 2 (test), or by these words, "
            f"but holds {found}",
        )


class SplitFamily(Family):
    """Reads a list of three shares, too: `[0.6, 0.2, 0.2]` are the fractions of train, dev and test."""

    def short_forms(self, handler: GetCoreSchemaHandler) -> Mapping[type, CoreSchema]:
        shares = core_schema.chain_schema(
            [
                core_schema.list_schema(),
                core_schema.no_info_plain_validator_function(_three),
                handler.generate_schema(tuple[LearnedShare, HeldOutShare, HeldOutShare]),
                core_schema.no_info_plain_validator_function(_fractions),
            ]
        )
        return {**super().short_forms(handler), list: shares, tuple: shares}


def _three(shares: list[Any]) -> tuple[Any, ...]:
    if len(shares) != len(PARTS):
        raise ValueError(f"must be three shares, of {', '.join(PARTS)}, as [0.8, 0.1, 0.1], not {len(shares)}")
    return tuple(shares)


def _fractions(shares: tuple[float, ...]) -> dict[str, str | float]:
    return {"type": "fractions", **dict(zip(PARTS, shares, strict=True))}


AnySplit = FractionSplit | GivenSplit | ColumnSplit
Split = Annotated[AnySplit, SplitFamily()]


def _divided(strata: Values, shares: NDArray[np.float64]) -> NDArray[np.int8]:
    """The part of every row: ⌊share⌋ rows of a class each; what is left goes to the parts that lag."""
    lag = np.zeros(3)  # over all classes so far, so that many small classes do not all round alike
    assigned = np.empty(len(strata), np.int8)
    _, members = np.unique(strata, return_inverse=True)
    by_class = np.argsort(members, kind="stable")
    for rows in np.split(by_class, np.cumsum(np.bincount(members))[:-1]):
        wanted = shares * len(rows)
        counts = np.floor(wanted + 1e-9)
        lag += wanted - counts
        urgency = np.where(wanted - counts > 1e-9, lag, -np.inf)
        if counts[0] == 0:
            urgency[0] = np.inf  # a class that train never sees cannot be learned
        more = np.argsort(-urgency, kind="stable")[: len(rows) - int(counts.sum())]
        counts[more] += 1
        lag[more] -= 1
        assigned[rows] = np.repeat(np.arange(3), counts.astype(int))
    return assigned


def _groups(table: Table, name: str) -> Values:
    """The group of every row, in any numbering."""
    kind, shape = table.types[name], table.shapes[name]
    if shape:
        raise SpecError("/data/split/group_by", f"column {name!r} has values of shape {shape}; group by single values")
    values, kind = plain(table.whole(name), kind)
    missing = int(np.count_nonzero(kind.missing(values)))
    if missing:
        raise SpecError(
            "/data/split/group_by",
            f"column {name!r} has no value in {missing} rows, which then belong to no group; fill it in",
        )
    return values


def _divided_by_group(groups: Values, strata: Values, shares: NDArray[np.float64]) -> NDArray[np.int8]:
    """The part of every row, the same for all rows of a group.

    A group stands for its rarest class, and rare classes choose first: the largest groups of a class go, one by
    one, to the part that lacks most rows of it. Rows too many or too few are carried over to the next class.
    """
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    _, members = np.unique(strata, return_inverse=True)
    frequency = np.bincount(members)
    sizes = np.bincount(group)
    wanted = int(np.count_nonzero(shares))
    if len(sizes) < wanted:
        raise SpecError("/data/split/group_by", f"{len(sizes)} groups cannot fill {wanted} parts; a group is never cut")
    rarity = np.argsort(np.argsort(frequency, kind="stable"), kind="stable")[members]  # 0: of the rarest class
    rarest = np.full(len(sizes), len(frequency))
    np.minimum.at(rarest, group, rarity)
    order = np.lexsort((first, -sizes, rarest))  # `first` is random: rows come shuffled
    stratum_rows = np.bincount(rarest, weights=sizes, minlength=len(frequency))
    part = np.empty(len(sizes), np.int8)
    lack, current = [0.0, 0.0, 0.0], -1
    for number, stratum, size in zip(order.tolist(), rarest[order].tolist(), sizes[order].tolist(), strict=True):
        if stratum != current:
            lack = [left + share * stratum_rows[stratum] for left, share in zip(lack, shares.tolist(), strict=True)]
            current, chosen = stratum, 0  # a class that train never sees cannot be learned
        else:
            chosen = lack.index(max(lack))
        part[number] = chosen
        lack[chosen] -= size
    _fill_the_empty(part, sizes, shares)
    return part[group]


def _fill_the_empty(part: NDArray[np.int8], sizes: NDArray[np.intp], shares: NDArray[np.float64]) -> None:
    """Give a wanted part that got no group the smallest one of the part with most groups."""
    for number in np.flatnonzero(shares):
        if not np.any(part == number):
            donor = np.argmax(np.bincount(part, minlength=3))
            candidates = np.flatnonzero(part == donor)
            part[candidates[np.argmin(sizes[candidates])]] = number
