"""Permutation importance: how much worse a model gets when one feature's values are shuffled among the rows.

A feature that the model does not use costs nothing. Features that say the same share what they are worth, and each
alone may look idle. Source: L. Breiman, Random Forests, Machine Learning 45 (2001).
"""

from collections.abc import Iterator
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from engine.data.table import Table
from engine.errors import RowError, SpecError
from engine.metrics import METRICS
from engine.model import Model

SCORES = {"classes": "accuracy", "values": "r2", "multilabel": "error"}
MOST_ANSWERS = 5_000_000  # rows × repeats × features


class Importance(BaseModel):
    """What a feature is worth to a model on some rows."""

    model_config = ConfigDict(frozen=True)
    feature: str
    importance: float = Field(description="mean loss of the score when the feature is shuffled; for errors, their rise")
    standard_error: float = Field(description="of that mean, over the repeats")


class Importances(BaseModel):
    """What every feature is worth, most first."""

    model_config = ConfigDict(frozen=True)
    metric: str
    score: float = Field(description="of the model on these rows as they are")
    rows: int
    repeats: int
    seed: int
    features: tuple[Importance, ...]


def permutation_importance(
    model: Model, table: Table, *, rows: int = 1000, repeats: int = 5, seed: int = 0
) -> Importances:
    """Shuffle every feature `repeats` times on at most `rows` random rows of a table that has the target, too.

    Raises SpecError where the target does not fit, or has no score on these rows.
    """
    generator = np.random.default_rng(seed)
    chosen = np.sort(generator.permutation(table.rows)[:rows])
    names = [name for name in model.preprocessor.shapes if name in table.columns]
    kept = table.select([*names, model.preprocessor.target.name]).take(chosen).read()
    try:
        X = model.preprocessor.features(kept, model.parameters.theta.dtype)
    except RowError as error:  # which counts the chosen rows
        found = error.detail.replace(f"row {error.row}", f"row {chosen[error.row]}", 1)
        raise SpecError("/dataset", f"{found}; correct it, or leave the row out") from error
    y = model.preprocessor.targets(kept, "the dataset")
    kind = model.network.target.kind
    metric = SCORES[kind]
    sign = -1.0 if metric == "error" else 1.0
    score = METRICS[kind][metric]
    whole = score(y, model.answers(X))
    if whole is None:
        raise SpecError("/dataset", f"{metric} has no value where the target is the same in all {len(X)} rows")
    features = []
    for name, inputs in _inputs(model):
        lost = [_shuffled(model, X, inputs, generator.permutation(len(X))) for _ in range(repeats)]
        losses = [sign * (whole - (score(y, answers) or 0.0)) for answers in lost]
        deviation = float(np.std(losses, ddof=1) / sqrt(repeats)) if repeats > 1 else 0.0
        features.append(Importance(feature=name, importance=float(np.mean(losses)), standard_error=deviation))
    return Importances(
        metric=metric,
        score=whole,
        rows=len(X),
        repeats=repeats,
        seed=seed,
        features=tuple(sorted(features, key=lambda one: -one.importance)),
    )


def _inputs(model: Model) -> Iterator[tuple[str, slice]]:
    """The inputs that each feature becomes."""
    start = 0
    for encoder in model.preprocessor.encoders:
        yield encoder.name, slice(start, start + encoder.width)
        start += encoder.width


def _shuffled(model: Model, X: NDArray[np.floating], inputs: slice, order: NDArray[np.intp]) -> NDArray[np.floating]:
    # Inputs are made of one column each, and scaled one by one: shuffling them is shuffling the column.
    mixed = X.copy()
    mixed[:, inputs] = X[order, inputs]
    return model.answers(mixed)
