"""Permutation importance agrees with scikit-learn's, and knows a feature that says nothing."""

import numpy as np
import pytest

from engine import JobSpec, Model, Network, Table, prepare, train
from engine.data import Dataset
from engine.events import Finished
from engine.importance import permutation_importance


def flowers(seed: int, rows: int = 600) -> Table:
    """A class that follows from a number and a category; a third column is noise."""
    rng = np.random.default_rng(seed)
    a, c, noise = rng.normal(size=rows), rng.integers(0, 3, rows), rng.normal(size=rows)
    return Table({"a": a, "c": c.astype(float), "noise": noise, "y": (a + c > 1).astype(np.int64)})


@pytest.fixture(scope="module")
def model() -> Model:
    spec = JobSpec.model_validate(
        {
            "data": {"train": "rows", "target": "y", "columns": {"c": {"type": "category"}}},
            "layers": [{"type": "dense", "units": 8}, {"type": "relu"}],
            "optimizer": {"type": "adam", "learning_rate": 0.02},
            "training": {"epochs": 20},
            "checks": {"gradients": []},
        }
    )
    data = prepare(spec.data, {"rows": Dataset({"all": flowers(0)})}, dtype=spec.precision)
    *_, last = train(Network.of(spec, data.preprocessor), spec, data)
    assert isinstance(last, Finished)
    return last.model


def test_it_agrees_with_scikit_learn(model: Model) -> None:
    from sklearn import inspection  # here: it takes seconds

    table = flowers(1)
    names = ["a", "c", "noise"]
    rows = np.stack([table.whole(name) for name in names], axis=1)

    class Estimator:
        """What scikit-learn asks of a classifier."""

        def fit(self, X: object, y: object) -> None:
            raise NotImplementedError

        def score(self, X: np.ndarray, y: np.ndarray) -> float:
            answers = [one["label"] for one in model.predict([{"a": a, "c": c, "noise": n} for a, c, n in X.tolist()])]
            return float(np.mean(np.array(answers) == y))

    theirs = inspection.permutation_importance(Estimator(), rows, table.whole("y"), n_repeats=10, random_state=0)
    ours = permutation_importance(model, table, rows=600, repeats=10, seed=0)
    assert ours.score == Estimator().score(rows, table.whole("y"))
    found = {one.feature: one for one in ours.features}
    for place, name in enumerate(names):
        spread = theirs.importances_std[place] / np.sqrt(10) + found[name].standard_error
        assert found[name].importance == pytest.approx(theirs.importances_mean[place], abs=4 * spread + 1e-9)
    assert abs(found["noise"].importance) < 0.05 < min(found["a"].importance, found["c"].importance)
    assert [one.feature for one in ours.features][-1] == "noise"


def test_it_is_repeatable_and_bounded(model: Model) -> None:
    table = flowers(2, rows=2000)
    one = permutation_importance(model, table, rows=300, repeats=3, seed=5)
    assert one == permutation_importance(model, table, rows=300, repeats=3, seed=5)
    assert one.rows == 300 and one != permutation_importance(model, table, rows=300, repeats=3, seed=6)
