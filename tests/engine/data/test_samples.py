"""The sample sets are scikit-learn's, and say so when it is missing."""

import sys

import numpy as np
import pytest
from sklearn import datasets

from engine.data import SAMPLES, DataSpec, load_sample, prepare
from engine.errors import SamplesMissing, SpecError


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


def test_the_generators_follow_their_seed():
    assert load_sample("moons", 1).sha256() == load_sample("moons", 1).sha256() != load_sample("moons", 2).sha256()


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(SpecError, match="Did you mean 'digits'"):
        load_sample("digit")


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(SamplesMissing, match=r"pip install scikit-learn") as caught:
        load_sample("digits")
    assert caught.value.pointer == "/data/train"
