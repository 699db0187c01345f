"""The sample sets are scikit-learn's, without scikit-learn."""

import numpy as np
import pytest
from sklearn import datasets

from engine.data import SAMPLES, DataSpec, load_sample, prepare
from engine.errors import SpecError


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_can_be_learned_from(name):
    spec = DataSpec(train=name, target="target" if name == "diabetes" else "label")
    data = prepare(spec, {name: load_sample(name)}, dtype="float32")
    assert data.preprocessor.kind == ("values" if name == "diabetes" else "classes")
    assert set(data.x) == {"train", "dev", "test"}


def test_digits_are_images_of_8_by_8():
    table = load_sample("digits").training
    bunch = datasets.load_digits()
    assert table.shapes == {"pixels": (8, 8), "label": ()}
    np.testing.assert_array_equal(table.columns["pixels"], bunch.images)
    np.testing.assert_array_equal(table.columns["label"], bunch.target)


@pytest.mark.parametrize("name", ["breast_cancer", "iris", "wine", "diabetes"])
def test_measurements_are_those_that_scikit_learn_loads(name):
    table, bunch = load_sample(name).training, getattr(datasets, f"load_{name}")()
    *features, target = table.columns
    assert features == list(bunch.feature_names)
    np.testing.assert_array_equal(np.column_stack([table.columns[feature] for feature in features]), bunch.data)
    np.testing.assert_array_equal(table.columns[target], bunch.target)
    assert table.columns[target].dtype == bunch.target.dtype


@pytest.mark.parametrize(("name", "noise"), [("moons", 0.2), ("circles", 0.05)])
@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_points_are_those_that_scikit_learn_makes(name, noise, seed):
    table = load_sample(name, seed).training
    x, y = getattr(datasets, f"make_{name}")(300, noise=noise, random_state=seed)
    np.testing.assert_array_equal(np.column_stack([table.columns["x1"], table.columns["x2"]]), x)
    np.testing.assert_array_equal(table.columns["label"], y)
    assert table.columns["label"].dtype == y.dtype


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(SpecError, match="Did you mean 'digits'"):
        load_sample("digit")
