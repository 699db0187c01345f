"""The small real datasets and the generators that scikit-learn ships, by name."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from engine.data.dataset import Dataset
from engine.data.spelling import did_you_mean
from engine.data.table import Table
from engine.errors import SamplesMissing, SpecError

IRIS = ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")
WINE = (
    "alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium", "total_phenols", "flavanoids",
    "nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue", "od280/od315_of_diluted_wines", "proline",
)  # fmt: skip
NUCLEUS = (
    "radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points", "symmetry",
    "fractal dimension",
)  # fmt: skip
BREAST_CANCER = tuple(way.format(name) for way, name in product(("mean {}", "{} error", "worst {}"), NUCLEUS))


def digits(folder: Path, seed: int) -> Table:
    rows = np.loadtxt(folder / "digits.csv.gz", np.uint8, delimiter=",")
    return Table({"pixels": rows[:, :-1].reshape(-1, 8, 8), "label": rows[:, -1].astype(np.int64)})


def measured(file: str, names: tuple[str, ...]) -> Callable[[Path, int], Table]:
    """The rows of the file, below a header that names the classes; the last column is the class."""

    def load(folder: Path, seed: int) -> Table:
        rows = np.loadtxt(folder / file, delimiter=",", skiprows=1)
        return Table(dict(zip(names, rows.T, strict=False)) | {"label": rows[:, -1].astype(np.int64)})

    return load


def diabetes(folder: Path, seed: int) -> Table:
    bunch = scikit_learn().load_diabetes()  # it scales what is in the file
    return Table({**dict(zip(bunch.feature_names, bunch.data.T, strict=True)), "target": bunch.target})


def moons(folder: Path, seed: int) -> Table:
    return plane(*scikit_learn().make_moons(300, noise=0.2, random_state=seed))


def circles(folder: Path, seed: int) -> Table:
    return plane(*scikit_learn().make_circles(300, noise=0.05, random_state=seed))


def plane(x: Any, y: Any) -> Table:
    return Table({"x1": x[:, 0], "x2": x[:, 1], "label": y})


def scikit_learn() -> Any:
    """Its datasets; to import it takes longer than to train on most of them, so only those that it computes do."""
    return import_module("sklearn.datasets")


SAMPLES: dict[str, Callable[[Path, int], Table]] = {
    "digits": digits,
    "breast_cancer": measured("breast_cancer.csv", BREAST_CANCER),
    "iris": measured("iris.csv", IRIS),
    "wine": measured("wine_data.csv", WINE),
    "diabetes": diabetes,
    "moons": moons,
    "circles": circles,
}


def load_sample(name: str, seed: int = 0, *, pointer: str = "/data/train") -> Dataset:
    """The sample set of that name; the seed is for the generators moons and circles.

    SamplesMissing without scikit-learn, SpecError for another name; both carry the pointer.
    """
    if name not in SAMPLES:
        raise SpecError(pointer, f"{name!r} is no sample set. {did_you_mean(name, SAMPLES)}")
    found = find_spec("sklearn")
    if found is None or found.origin is None:
        raise SamplesMissing(pointer, f"{name!r} comes with scikit-learn, which is missing; pip install scikit-learn")
    table = SAMPLES[name](Path(found.origin).parent / "datasets" / "data", seed)
    return Dataset({"all": Table({name: np.ascontiguousarray(column) for name, column in table.columns.items()})})
