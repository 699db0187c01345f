"""Whether two sets come from one distribution: can a logistic regression tell whose row it is?

It is this engine's own, fitted on one half of the rows and judged on the other, both ways round. An AUC of 0.5 says
that the rows look alike; 1 that every row gives its set away.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from engine.data.checks.finding import Finding, listed
from engine.data.checks.inputs import Floats, Input, inputs_of, sample_rows
from engine.data.checks.parts import Parts
from engine.data.checks.target import Answers
from engine.data.dataset import Dataset
from engine.data.preparation import prepare
from engine.data.table import Table
from engine.events import Finished
from engine.network import Network
from engine.spec import JobSpec
from engine.training import train

ROWS = 5000  # of each set
FEWEST = 20  # rows of a set below which there is nothing to compare
TOP_LABELS = 32
LISTED = 10
STEPS = 150  # of the optimizer, about
BATCH = 256
CLEAR, STRONG = 0.55, 0.8  # of the AUC's lower bound
MARGIN = 2.5  # standard errors of an AUC by chance, a quarter above 1.96: the fit varies, too
CHANCE = 0.001  # that anything at all is named when nothing has shifted


class ColumnShift(BaseModel):
    """How differently a column is distributed in the two sets."""

    model_config = ConfigDict(frozen=True)

    column: str
    input: str = Field(description="the column, or the stretch of it that differs most")
    difference: float = Field(
        description="greatest difference of two shares: of the rows up to a value (Kolmogorov-Smirnov), of one "
        "category, of what is missing"
    )
    standardized: float | None = Field(description="difference of the means in standard deviations; null: categories")


class Mismatch(BaseModel):
    """How separable two sets are."""

    model_config = ConfigDict(frozen=True)

    sets: tuple[str, str]
    auc: float = Field(description="of telling the sets apart, on rows that were not learned from; 0.5: alike")
    margin: float = Field(description="of the AUC: where it lies by chance in 95 of 100 cases, ± this around 0.5")
    rows: tuple[int, int] = Field(description="compared of each set")
    shifted: tuple[ColumnShift, ...] = Field(description="what differs beyond chance, most first")


def mismatches(parts: Parts, features: Sequence[str], answers: Answers | None) -> list[Mismatch]:
    """Of train and dev, and of dev and test; of train and test where there is no dev."""
    pairs = pairwise(parts.parts)
    return [found for one, other in pairs if (found := _mismatch(parts, (one, other), features, answers)) is not None]


def about_mismatch(found: Mismatch) -> Iterator[Finding]:
    """What to say of a pair that is easily told apart."""
    least = found.auc - found.margin
    if least <= CLEAR - 0.03 or found.auc <= CLEAR:
        return
    one, other = found.sets
    names = list(dict.fromkeys(shift.column for shift in found.shifted))
    most = f"; most shifted: {listed(names, 3)}" if names else ""
    if one == "train":
        advice = (
            f"Train may differ if {other} is what the model will meet, but then some of its error is mismatch, not "
            f"variance: bring rows like those of {other} into train, or fix how the columns named were collected."
        )
    else:
        advice = "Draw dev and test from one source: a model tuned on dev is aimed at the wrong target otherwise."
    yield Finding(
        check="mismatch",
        severity="serious" if least > STRONG or one != "train" else "warning",
        columns=tuple(names[:3]),
        message=f"A logistic regression tells rows of {one} from rows of {other} with an AUC of {found.auc:.2f} (0.5 "
        f"when they come from one distribution){most}.",
        advice=advice,
    )


def _mismatch(parts: Parts, sets: tuple[str, str], features: Sequence[str], answers: Answers | None) -> Mismatch | None:
    most = sample_rows(parts.sources[0].table, features, ROWS)
    if min(most, *(parts.parts[name].size for name in sets)) < FEWEST:
        return None
    by_class = answers is not None and answers.by_class
    wanted = [*features, *([answers.name] if answers is not None and by_class else [])]
    samples = [parts.sample(name, wanted, most) for name in sets]
    n1, n2 = (sum(table.rows for table in tables) for tables in samples)
    tables = [*samples[0], *samples[1]]
    second = np.repeat([False, True], [n1, n2])
    inputs = list(inputs_of(tables, features))
    columns = [column for series in inputs for column in _numeric(series)]
    if not columns:
        return None
    x = np.stack(columns, axis=1).astype(np.float32)
    classes = answers.read(tables) if answers is not None and by_class else np.zeros(len(x))
    return Mismatch(
        sets=sets,
        auc=round(separability(x, second, classes), 6),
        margin=MARGIN * sqrt((n1 + n2 + 1) / (12 * n1 * n2)),
        rows=(n1, n2),
        shifted=tuple(_shifted(inputs, second)),
    )


def separability(x: NDArray[np.float32], second: NDArray[np.bool_], classes: Floats) -> float:
    """The AUC of this engine's logistic regression on which set a row (m × n) is from, on held-out rows.

    Fitted on each half in turn, the mean of both. The halves are stratified by set and by class: where a split was
    stratified, a class too many in one half would be one too few in the other, and the AUC would fall below 0.5.
    """
    fold = np.empty(len(x), bool)
    order = np.lexsort((np.random.default_rng(0).random(len(x)), classes, second))
    fold[order] = np.arange(len(x)) % 2 == 0
    return float(np.mean([_auc(x, second, fold), _auc(x, second, ~fold)]))


def _auc(x: NDArray[np.float32], second: NDArray[np.bool_], held_out: NDArray[np.bool_]) -> float:
    steps = -(-int(np.count_nonzero(~held_out)) // BATCH)
    spec = JobSpec.model_validate(
        {
            "data": {"train": "rows", "target": "set", "split": {"type": "given"}},
            "loss": {"type": "sigmoid_cross_entropy"},
            "regularization": {"l2": 1.0},
            "optimizer": {"type": "adam", "learning_rate": 0.05},
            "training": {"epochs": max(3, STEPS // steps), "batch_size": BATCH},
            "checks": {"gradients": []},
        }
    )
    tables = {
        name: Table({"x": x[rows], "set": second[rows].astype(np.int64)})
        for name, rows in (("train", ~held_out), ("test", held_out))
    }
    data = prepare(spec.data, {"rows": Dataset(tables)}, loss=spec.loss.type, dtype=spec.precision)
    *_, last = train(Network.of(spec, data.preprocessor), spec, data)
    if not isinstance(last, Finished):
        raise TypeError("a training ends with Finished")
    result = last.result["test"]
    area = result["auc"] if isinstance(result, dict) else None
    return 0.5 if area is None else float(area)


def _numeric(series: Input) -> Iterator[Floats]:
    """Columns for the regression: median for what is missing, and that it is; a column a frequent category."""
    missing = np.isnan(series.values)
    if series.categorical:
        codes, counts = np.unique(series.values[~missing], return_counts=True)
        for code in codes[np.argsort(-counts, kind="stable")][:TOP_LABELS]:
            yield (series.values == code).astype(np.float64)
    elif not missing.all():
        yield np.where(missing, np.median(series.values[~missing]), series.values)
    if np.any(missing) and not missing.all():
        yield missing.astype(np.float64)


def _shifted(inputs: Sequence[Input], second: NDArray[np.bool_]) -> list[ColumnShift]:
    """The columns that differ beyond chance, most first; each by the input of it that differs most."""
    n1, n2 = int(np.count_nonzero(~second)), int(np.count_nonzero(second))
    # Kolmogorov's bound, for as many comparisons as there are inputs (Bonferroni)
    chance = sqrt(log(2 * max(1, len(inputs)) / CHANCE) / 2 * (n1 + n2) / (n1 * n2))
    most: dict[str, ColumnShift] = {}
    for series in inputs:
        difference = _difference(series, second)
        if difference > chance and (series.column not in most or difference > most[series.column].difference):
            most[series.column] = ColumnShift(
                column=series.column,
                input=series.name,
                difference=round(difference, 6),
                standardized=None if series.categorical else _standardized(series.values, second),
            )
    return sorted(most.values(), key=lambda shift: -shift.difference)[:LISTED]


def _difference(series: Input, second: NDArray[np.bool_]) -> float:
    missing = np.isnan(series.values)
    absent = abs(float(missing[second].mean()) - float(missing[~second].mean()))
    values, marks = series.values[~missing], second[~missing]
    n2 = int(np.count_nonzero(marks))
    n1 = len(marks) - n2
    if not n1 or not n2:
        return absent
    if series.categorical:
        codes = values.astype(np.intp)
        width = int(codes.max()) + 1
        shares = np.bincount(codes[~marks], minlength=width) / n1 - np.bincount(codes[marks], minlength=width) / n2
        return max(absent, float(np.abs(shares).max()))
    order = np.argsort(values, kind="stable")
    ascending = values[order]
    steps = np.cumsum(np.where(marks[order], 1 / n2, -1 / n1))
    ends = np.append(ascending[1:] != ascending[:-1], True)  # behind the last of equal values
    return max(absent, float(np.abs(steps[ends]).max()))


def _standardized(values: Floats, second: NDArray[np.bool_]) -> float | None:
    """(mean of the second − mean of the first) / √ of the mean variance."""
    one, other = (chosen[~np.isnan(chosen)] for chosen in (values[~second], values[second]))
    if not len(one) or not len(other):
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        spread = np.sqrt((one.var() + other.var()) / 2)
        smd = (other.mean() - one.mean()) / spread if spread > 0 else np.inf
    return round(float(smd), 4) if np.isfinite(smd) else None
