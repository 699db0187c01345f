"""Features that give the target away on their own: often it, or its consequence, under another name.

How well one column answers is measured on rows that it was not fitted on, by the nearest known value.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from engine.data.checks.finding import Finding
from engine.data.checks.inputs import Floats, Input
from engine.data.checks.target import Answers
from engine.metrics import area_under_roc

ALARM = 0.99
STRONGEST = 5
FEWEST = 20  # rows below which anything may fit anything
Indices = NDArray[np.intp]


class Predictor(BaseModel):
    """How well a single column answers alone."""

    model_config = ConfigDict(frozen=True)

    column: str
    input: str = Field(description="the column, or the stretch of it that answers best")
    measure: str = Field(
        description="auc; or skill: of the rows that the most frequent class misses, the share got right; or r2"
    )
    value: float


@dataclass(frozen=True)
class _Halves:
    """Even and odd places of shuffled rows: one half to learn from, one to measure on."""

    known: Indices
    asked: Indices

    @classmethod
    def of(cls, usable: NDArray[np.bool_]) -> "_Halves":
        rows = np.random.default_rng(0).permutation(np.flatnonzero(usable))
        return cls(rows[::2], rows[1::2])


def strongest(inputs: Iterable[Input], answers: Answers, y: Floats) -> list[Predictor]:
    """The five columns that answer best alone, the best first."""
    halves = _Halves.of(~np.isnan(y))
    best: dict[str, Predictor] = {}
    if len(halves.known) + len(halves.asked) < FEWEST:
        return []
    for series in inputs:
        for measure, value in _measures(series, answers, y, halves):
            if series.column not in best or value > best[series.column].value:
                best[series.column] = Predictor(
                    column=series.column, input=series.name, measure=measure, value=round(value, 6)
                )
    return sorted(best.values(), key=lambda predictor: -predictor.value)[:STRONGEST]


def about_giveaways(predictors: list[Predictor], answers: Answers, features: int) -> Iterator[Finding]:
    """An alarm for every column that answers nearly alone, unless it is all there is to answer from."""
    for predictor in predictors:
        if predictor.value >= ALARM and features > 1:
            measure = {"auc": "an AUC of {:.3f}", "skill": "a skill of {:.3f}", "r2": "R² = {:.3f}"}[predictor.measure]
            yield Finding(
                check="giveaway",
                severity="serious",
                columns=(predictor.column, answers.name),
                message=f"{predictor.input!r} alone predicts {answers.name!r} with "
                f"{measure.format(predictor.value)}: it may be the answer, or follow from it.",
                advice=f"Ask whether {predictor.column!r} is known before {answers.name!r} is; if not, leave it out of "
                f"data.features.",
            )


def _measures(series: Input, answers: Answers, y: Floats, halves: _Halves) -> Iterator[tuple[str, float]]:
    x = _filled(series.values)
    nearest, unseen = _nearest(x[halves.known], x[halves.asked], exact=series.categorical)
    known, asked = y[halves.known], y[halves.asked]
    if not answers.by_class:
        spread = float(np.mean((asked - asked.mean()) ** 2))
        if spread == 0:
            return
        means = _means(known, nearest.known)[nearest.asked]
        means[unseen] = known.mean()
        yield "r2", 1 - float(np.mean((asked - means) ** 2)) / spread
        if not series.categorical and x.std() > 0 and y[halves.asked].std() > 0:
            yield "r2", float(np.corrcoef(x[halves.asked], asked)[0, 1] ** 2)
        return
    classes = len(answers.labels)
    usual = np.bincount(known.astype(np.intp), minlength=classes).argmax()
    guess = _majorities(known.astype(np.intp), nearest.known, classes)[nearest.asked]
    guess[unseen] = usual
    missed = asked != usual
    if np.any(missed):
        wrong = float(np.count_nonzero(guess != asked))
        yield "skill", 1 - wrong / float(np.count_nonzero(missed))
    if classes == 2 and not series.categorical:
        area = area_under_roc(asked == 1, x[halves.asked])
        if area is not None:
            yield "auc", max(area, 1 - area)


@dataclass(frozen=True)
class _Places:
    """For known and for asked rows, which distinct known value theirs is, or is nearest to."""

    known: Indices
    asked: Indices


def _nearest(known: Floats, asked: Floats, *, exact: bool) -> tuple[_Places, NDArray[np.bool_]]:
    values, places = np.unique(known, return_inverse=True)
    right = np.searchsorted(values, asked).clip(max=len(values) - 1)
    left = (right - 1).clip(min=0)
    nearest = np.where(np.abs(values[left] - asked) < np.abs(values[right] - asked), left, right)
    unseen = values[nearest] != asked if exact else np.zeros(len(asked), bool)
    return _Places(places, nearest), unseen


def _filled(values: Floats) -> Floats:
    """What is missing becomes a value of its own, beyond all others."""
    missing = np.isnan(values)
    if not np.any(missing):
        return values
    present = values[~missing]
    beyond = 0.0 if not len(present) else float(present.max() + max(1.0, np.ptp(present)))
    return np.where(missing, beyond, values)


def _means(y: Floats, places: Indices) -> Floats:
    means: Floats = np.bincount(places, weights=y) / np.bincount(places)
    return means


def _majorities(y: Indices, places: Indices, classes: int) -> Indices:
    """The most frequent class at every place."""
    pairs, counts = np.unique(places * classes + y, return_counts=True)
    order = np.lexsort((counts, pairs // classes))
    last = np.append(np.diff(pairs[order] // classes) > 0, True)
    majorities: Indices = pairs[order][last] % classes
    return majorities
