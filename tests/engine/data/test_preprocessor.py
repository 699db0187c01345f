"""Rows to predict are treated as the training rows were, or refused by row and field."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from engine.data import MinMaxNormalizer, NoNormalizer, Preprocessor, StandardNormalizer, Table, TargetColumn
from engine.errors import DataError, RowError

RNG = np.random.default_rng(0)
TABLE = Table({"age": RNG.normal(40, 9, 30), "height": RNG.integers(150, 190, 30), "label": np.arange(30) % 2})
IMAGES = Table({"pixels": RNG.integers(0, 255, (5, 2, 3)).astype(np.uint8), "label": np.arange(5)})


def learned(table=TABLE, normalizer=None) -> Preprocessor:
    target = TargetColumn.learn("label", table.columns["label"], "classes")
    features = [name for name in table.columns if name != "label"]
    return Preprocessor.learn(table.select(features), normalizer or StandardNormalizer(), target)


def test_features_are_scaled_as_scikit_learn_does():
    x = np.column_stack([TABLE.columns["age"], TABLE.columns["height"]])
    np.testing.assert_allclose(learned().features(TABLE), StandardScaler().fit_transform(x), rtol=1e-12)


def test_images_are_flattened_in_c_order():
    x = learned(IMAGES, NoNormalizer()).features(IMAGES)
    np.testing.assert_array_equal(x[1], IMAGES.columns["pixels"][1].reshape(-1))


def test_features_of_many_blocks_equal_those_of_one(monkeypatch):
    whole = learned()
    monkeypatch.setattr("engine.data.encoding.preprocessor.BLOCK", 7)
    np.testing.assert_array_equal(whole.features(TABLE), whole.features(TABLE))
    np.testing.assert_allclose(learned().features(TABLE), whole.features(TABLE), rtol=1e-12)


def test_a_row_is_the_same_by_name_by_place_and_as_an_array():
    preprocessor = learned()
    expected = preprocessor.features(TABLE)
    ages, heights = TABLE.columns["age"].tolist(), TABLE.columns["height"].tolist()
    named = [{"height": h, "age": a} for a, h in zip(ages, heights, strict=True)]
    placed = list(zip(ages, heights, strict=True))
    for rows in (named, placed, np.array(placed)):
        np.testing.assert_array_equal(preprocessor.rows(rows)[0], expected)


def test_an_image_is_the_same_nested_flat_and_as_an_array():
    preprocessor = learned(IMAGES)
    expected, images = preprocessor.features(IMAGES), IMAGES.columns["pixels"]
    nested, flat = images.tolist(), images.reshape(5, -1).tolist()
    wrapped = [{"pixels": image} for image in (*nested[:3], *flat[3:])]
    for rows in (nested, flat, wrapped, images, images.reshape(5, -1)):
        np.testing.assert_array_equal(preprocessor.rows(rows)[0], expected)


@pytest.mark.parametrize(
    ("row", "field", "sentence"),
    [
        ({}, "", "none of the model's fields"),
        ({"age": 1, "hight": 2}, "hight", "Did you mean 'height'"),
        ({"age": 1, "height": "2 feet"}, "height", "holds '2 feet'; it takes numbers"),
        ({"age": True, "height": 2}, "age", "holds true"),
        ({"age": [1], "height": 2}, "age", "an array of 1"),
        ({"age": {}, "height": 2}, "age", "an object"),
        ({"age": float("inf"), "height": 2}, "age", "infinity"),
        ({"age": 10**400, "height": 2}, "age", "beyond 2"),
        ({"age": 2**53 + 1, "height": 2}, "age", "holds '9007199254740993', an integer beyond 2"),
        ([1], "", "2 numbers"),
        ([1, 2, 3], "", "2 numbers"),
        ([1, [2]], "1", "an array of 1"),
        ([], "", "2 numbers"),
        ("12", "", "send an object or an array"),
        (7, "", "a number; send an object"),
        (None, "", "null; send an object"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(row, field, sentence):
    with pytest.raises(RowError, match=sentence) as caught:
        learned().rows([[30, 170], row])
    assert (caught.value.row, caught.value.field) == (1, field)


# What UTF-8 can write; said as `codec`, hypothesis would try every character there is, which takes seconds.
ENCODABLE = st.characters(exclude_categories=("Cs",))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(ENCODABLE, max_size=5),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.sampled_from(["pixels", "x"]), inner, max_size=2),
    max_leaves=12,
)


@given(JSON)
def test_any_row_is_used_or_refused(row):
    try:
        x, _ = learned(IMAGES).rows([row])
    except RowError as error:
        assert error.row == 0
    else:
        assert x.shape == (1, 6) and np.isfinite(x).all()


@pytest.mark.parametrize("rows", [np.zeros((2, 3)), np.zeros(2), np.zeros((2, 2), complex), np.full((1, 2), np.inf)])
def test_an_array_that_does_not_fit_is_refused(rows):
    with pytest.raises(RowError):
        learned().rows(rows)


@pytest.mark.parametrize("normalizer", [NoNormalizer(), MinMaxNormalizer(), StandardNormalizer()])
def test_a_stored_preprocessor_does_the_same(normalizer):
    before = learned(IMAGES, normalizer)
    document = json.loads(json.dumps(before.to_json()))
    after = Preprocessor.from_json(document, before.arrays() | {"W1": np.zeros(1)})
    np.testing.assert_array_equal(after.features(IMAGES), before.features(IMAGES))
    assert (after.classes, after.kind, after.n_in, after.n_out) == ((0, 1, 2, 3, 4), "classes", 6, 5)
    assert after.to_json() == before.to_json()


@pytest.mark.parametrize("normalizer", [MinMaxNormalizer(), StandardNormalizer()])
def test_numbers_too_large_to_scale_are_named(normalizer):
    huge = Table({"a": np.arange(2.0), "b": np.array([-1.7e308, 1.7e308]), "label": np.array([0, 1])})
    with pytest.raises(DataError, match="'b' holds numbers too large"):
        learned(huge, normalizer)
