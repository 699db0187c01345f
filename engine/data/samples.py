"""Small real datasets, and generators of points in the plane, by the names that scikit-learn gives them.

Rows, columns and points are those of its `load_…` and `make_…`, to the bit.
"""

from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import Dataset
from engine.data.table import Table
from engine.errors import SpecError
from engine.foreign_terms import look_up
from engine.spelling import did_you_mean

FILES = Path(__file__).with_name("sample_files")  # its SOURCES.md says where they are from
POINTS = 300  # of a generator

IRIS = ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")
WINE = (
    "alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium", "total_phenols", "flavanoids",
    "nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue", "od280/od315_of_diluted_wines", "proline",
)  # fmt: skip
NUCLEUS = (
    "radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points", "symmetry",
    "fractal dimension",
)  # fmt: skip
DIABETES = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
BREAST_CANCER = tuple(way.format(name) for way, name in product(("mean {}", "{} error", "worst {}"), NUCLEUS))


def digits(seed: int) -> Table:
    rows = np.loadtxt(FILES / "digits.csv.gz", np.uint8, delimiter=",")
    return Table({"pixels": rows[:, :-1].reshape(-1, 8, 8), "label": rows[:, -1].astype(np.int64)})


def measured(file: str, names: tuple[str, ...]) -> Callable[[int], Table]:
    """The rows of the file, below a header that names the classes; the last column is the class."""

    def load(seed: int) -> Table:
        rows = np.loadtxt(FILES / file, delimiter=",", skiprows=1)
        return Table(dict(zip(names, rows.T, strict=False)) | {"label": rows[:, -1].astype(np.int64)})

    return load


def diabetes(seed: int) -> Table:
    """Every measurement about its mean, the squares of a column adding up to 1."""
    *columns, target = np.loadtxt(FILES / "diabetes.csv.gz", delimiter=",").T
    x = np.column_stack(columns)
    x = (x - x.mean(axis=0)) / x.std(axis=0) / len(x) ** 0.5
    return Table(dict(zip(DIABETES, x.T, strict=True)) | {"target": target})


def moons(seed: int) -> Table:
    """Two interleaved half circles."""
    angles = np.linspace(0, np.pi, POINTS // 2)
    outer = np.cos(angles), np.sin(angles)
    inner = 1 - np.cos(angles), 1 - np.sin(angles) - 0.5
    return plane(outer, inner, noise=0.2, seed=seed)


def circles(seed: int) -> Table:
    """A circle within another."""
    angles = np.linspace(0, 2 * np.pi, POINTS // 2, endpoint=False)
    outer = np.cos(angles), np.sin(angles)
    inner = outer[0] * 0.8, outer[1] * 0.8
    return plane(outer, inner, noise=0.05, seed=seed)


def plane(*curves: tuple[NDArray[np.float64], NDArray[np.float64]], noise: float, seed: int) -> Table:
    """Points of the curves in random order and with Gaussian noise; the label is the number of the curve."""
    x = np.vstack([np.column_stack(curve) for curve in curves])
    label = np.repeat(np.arange(len(curves), dtype=np.int64), POINTS // len(curves))
    random = np.random.RandomState(seed)  # scikit-learn's generator, which draws in this order
    order = np.arange(len(x))
    random.shuffle(order)
    x, label = x[order], label[order]
    x += random.normal(scale=noise, size=x.shape)
    return Table({"x1": x[:, 0], "x2": x[:, 1], "label": label})


SAMPLES: dict[str, Callable[[int], Table]] = {
    "digits": digits,
    "breast_cancer": measured("breast_cancer.csv", BREAST_CANCER),
    "iris": measured("iris.csv", IRIS),
    "wine": measured("wine.csv", WINE),
    "diabetes": diabetes,
    "moons": moons,
    "circles": circles,
}


def suggest_dataset(name: str, known: Iterable[str]) -> str:
    """A sentence on a dataset that is not there: one of those that other libraries ship, or a slip of the hand."""
    term = look_up("/data/train", name)
    if term is None:
        return did_you_mean(name, known)
    return f"Did you mean {term.ours!r}?" if term.ours else f"{term.note[0].upper()}{term.note[1:]}."


def load_sample(name: str, seed: int = 0, *, pointer: str = "/data/train") -> Dataset:
    """The sample set of that name; the seed is for the generators moons and circles.

    SpecError for another name; it carries the pointer.
    """
    if name not in SAMPLES:
        raise SpecError(pointer, f"{name!r} is no sample set. {suggest_dataset(name, SAMPLES)}")
    table = SAMPLES[name](seed)
    return Dataset({"all": Table({name: np.ascontiguousarray(column) for name, column in table.columns.items()})})
