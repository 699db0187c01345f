"""The published runs: their data, initial weights, batch orders and masks, as the product takes them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine import Dataset, EpochEnded, Finished, JobSpec, Network, RandomStreams, Table, prepare, train
from engine.parameters import Array

SHARED_DATA = Path(__file__).parents[2].parent / "shared" / "data"
Weights = dict[str, NDArray[np.float64]]


def course_data(name: str) -> Dataset:
    """One of the course's sets, in the parts it came with."""
    with np.load(SHARED_DATA / f"{name}.npz") as arrays:
        tables = {
            part: Table({"x": arrays[f"x_{part}"], "label": arrays[f"y_{part}"]})
            for part in ("train", "test")
            if f"x_{part}" in arrays
        }
    return Dataset(tables)


def course_weights(sizes: tuple[int, ...], seed: int, scale: Callable[[int], float]) -> Weights:
    """NumPy's legacy normals × scale(n_in), drawn units × inputs and transposed to the product's layout."""
    random = np.random.RandomState(seed)
    weights: Weights = {}
    for layer, (n_in, n_out) in enumerate(pairwise(sizes), 1):
        weights[f"W{layer}"] = np.ascontiguousarray((random.randn(n_out, n_in) * scale(n_in)).T)
        weights[f"b{layer}"] = np.zeros(n_out)
    return weights


class CourseOrder(RandomStreams):
    """Epochs, counted from 0, in the order RandomState(11 + epoch).permutation(m)."""

    def order(self, epoch: int, m: int) -> NDArray[np.intp]:
        return np.random.RandomState(10 + epoch).permutation(m).astype(np.intp)


class CourseMasks(RandomStreams):
    """One draw for the whole run: RandomState(1).rand(units, examples) for each dropout layer in turn."""

    def __init__(self, *units: int, examples: int) -> None:
        super().__init__(0)
        random = np.random.RandomState(1)
        self._draws = [np.ascontiguousarray(random.rand(n, examples).T) for n in units]
        self._layers: list[int] = []

    def uniform(self, layer: int, step: int, out: Array) -> None:
        if layer not in self._layers:
            self._layers.append(layer)
        np.copyto(out, self._draws[self._layers.index(layer)])


def he(n_in: int) -> float:
    return float(np.sqrt(2 / n_in))


def one_over_root(n_in: int) -> float:
    return float(1 / np.sqrt(n_in))


@dataclass(frozen=True)
class Published:
    """A run whose curve and accuracies somebody else printed."""

    name: str
    data: str
    sizes: tuple[int, ...]
    scale: Callable[[int], float]
    epochs: int
    optimizer: dict[str, object]
    costs: dict[int, float]  # by iteration (of an epoch) counted from 0, before its update
    train: float
    test: float | None = None
    l2: float = 0.0
    keep_prob: float = 1.0
    batch_size: int | str = "full"
    streams: Callable[[], RandomStreams] = field(default=lambda: RandomStreams(0))
    relative: float = 1e-9
    absolute: float = 0.0
    accuracy_within: float = 0.0

    def spec(self, epochs: int) -> JobSpec:
        layers: list[dict[str, object]] = []
        for units in self.sizes[1:-1]:
            layers += [{"type": "dense", "units": units}, {"type": "relu"}]
            layers += [{"type": "dropout", "keep_prob": self.keep_prob}] * (self.keep_prob < 1)
        return JobSpec.model_validate(
            {
                "name": self.name,
                "data": {
                    "train": self.data, "target": "label", "normalize": {"type": "none"},
                    "split": {"type": "given"},
                },
                "layers": layers,
                "initializer": {"type": "given", "parameters": "course"},
                "regularization": {"l2": self.l2},
                "optimizer": self.optimizer,
                "training": {"epochs": epochs, "batch_size": self.batch_size},
                "precision": "float64",
                "checks": {"gradients": []},
            }
        )  # fmt: skip

    def run(self, epochs: int) -> Iterator[EpochEnded | Finished]:
        """The events of its first epochs."""
        spec = self.spec(epochs)
        data = prepare(spec.data, {self.data: course_data(self.data)}, loss="auto", dtype="float64")
        network = Network.of(spec, data.preprocessor)
        weights = course_weights(self.sizes, 3, self.scale)
        for event in train(network, spec, data, given=weights, streams=self.streams()):
            if isinstance(event, EpochEnded | Finished):
                yield event

    def matches(self, iteration: int, cost: float) -> bool:
        expected = self.costs[iteration]
        return abs(cost - expected) <= max(self.relative * expected, self.absolute)


GRADIENT_DESCENT_ON_CIRCLES = {"type": "gradient_descent", "learning_rate": 0.01}
GRADIENT_DESCENT_ON_FOOTBALL = {"type": "gradient_descent", "learning_rate": 0.3}
CIRCLES, FOOTBALL, MOONS = (2, 10, 5, 1), (2, 20, 3, 1), (2, 5, 2, 1)
PRINTED = 6e-7  # costs printed with six decimals

PUBLISHED = (
    Published(
        "circles from zeros", "circles", CIRCLES, lambda n_in: 0.0, 15_000, GRADIENT_DESCENT_ON_CIRCLES,
        {0: 0.6931471805599453, 1000: 0.6931471805599453, 14_000: 0.6931471805599453}, 0.5, 0.5,
    ),
    Published(
        "circles from weights × 10", "circles", CIRCLES, lambda n_in: 10.0, 15_000, GRADIENT_DESCENT_ON_CIRCLES,
        {}, 0.83, 0.86,
    ),
    Published(
        "circles from He", "circles", CIRCLES, he, 15_000, GRADIENT_DESCENT_ON_CIRCLES,
        {0: 0.8830537463419761, 1000: 0.6879825919728063, 14_000: 0.07357895962677366}, 298 / 300, 0.96,
    ),
    Published(
        "football", "football", FOOTBALL, one_over_root, 30_000, GRADIENT_DESCENT_ON_FOOTBALL,
        {0: 0.6557412523481002, 10_000: 0.16329987525724, 20_000: 0.138516424232}, 200 / 211, 0.915,
    ),
    Published(
        "football with L2", "football", FOOTBALL, one_over_root, 30_000, GRADIENT_DESCENT_ON_FOOTBALL,
        {0: 0.6974484493131264, 10_000: 0.2684918873282239, 20_000: 0.26809163371273}, 198 / 211, 0.93, l2=0.7,
    ),
    Published(
        "football with dropout", "football", FOOTBALL, one_over_root, 30_000, GRADIENT_DESCENT_ON_FOOTBALL,
        {}, 196 / 211, 0.95, keep_prob=0.86, streams=lambda: CourseMasks(20, 3, examples=211),
    ),
    Published(
        "moons with gradient descent", "moons", MOONS, he, 5000,
        {"type": "gradient_descent", "learning_rate": 7e-4},
        {0: 0.702405, 1000: 0.668101, 2000: 0.635288, 3000: 0.600491, 4000: 0.573367}, 215 / 300,
        batch_size=64, streams=lambda: CourseOrder(0), absolute=PRINTED,
    ),
    Published(
        "moons with momentum", "moons", MOONS, he, 5000, {"type": "momentum", "learning_rate": 7e-4}, {}, 215 / 300,
        batch_size=64, streams=lambda: CourseOrder(0),
    ),
    Published(
        "moons with Adam", "moons", MOONS, he, 5000, {"type": "adam", "learning_rate": 7e-4},
        {0: 0.702166, 1000: 0.167845, 2000: 0.141316, 3000: 0.138788, 4000: 0.136066}, 283 / 300,
        batch_size=64, streams=lambda: CourseOrder(0), absolute=PRINTED,
    ),
)  # fmt: skip
