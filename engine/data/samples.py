"""The small real datasets and the generators that scikit-learn ships, by name."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from engine.data.dataset import Dataset
from engine.data.spelling import did_you_mean
from engine.data.table import Table
from engine.errors import SamplesMissing, SpecError


def digits(source: Any, seed: int) -> Table:
    bunch = source.load_digits()
    return Table({"pixels": bunch.images.astype(np.uint8), "label": bunch.target.astype(np.int64)})


def measured(loader: str, target: str) -> Callable[[Any, int], Table]:
    """The set that the loader returns, under its own feature names."""

    def load(source: Any, seed: int) -> Table:
        bunch = getattr(source, loader)()
        columns = {str(name): bunch.data[:, j] for j, name in enumerate(bunch.feature_names)}
        return Table(columns | {target: bunch.target})

    return load


def moons(source: Any, seed: int) -> Table:
    return plane(*source.make_moons(300, noise=0.2, random_state=seed))


def circles(source: Any, seed: int) -> Table:
    return plane(*source.make_circles(300, noise=0.05, random_state=seed))


def plane(x: Any, y: Any) -> Table:
    return Table({"x1": x[:, 0], "x2": x[:, 1], "label": y})


SAMPLES: dict[str, Callable[[Any, int], Table]] = {
    "digits": digits,
    "breast_cancer": measured("load_breast_cancer", "label"),
    "iris": measured("load_iris", "label"),
    "wine": measured("load_wine", "label"),
    "diabetes": measured("load_diabetes", "target"),
    "moons": moons,
    "circles": circles,
}


def load_sample(name: str, seed: int = 0, *, pointer: str = "/data/train") -> Dataset:
    """The sample set of that name; the seed is for the generators moons and circles.

    SamplesMissing without scikit-learn, SpecError for another name; both carry the pointer.
    """
    if name not in SAMPLES:
        raise SpecError(pointer, f"{name!r} is no sample set. {did_you_mean(name, SAMPLES)}")
    try:
        source = import_module("sklearn.datasets")
    except ModuleNotFoundError:
        raise SamplesMissing(
            pointer, f'{name!r} comes with scikit-learn, which is missing; pip install "trainyard[samples]"'
        ) from None
    table = SAMPLES[name](source, seed)
    return Dataset({"all": Table({name: np.ascontiguousarray(column) for name, column in table.columns.items()})})
