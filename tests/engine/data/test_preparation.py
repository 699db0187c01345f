"""A spec and its datasets become arrays that training can use, or a SpecError that points to the field."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.data import Dataset, DataSpec, Table, check, dataset_references, prepare
from engine.errors import SpecError

RNG = np.random.default_rng(1)
X = RNG.normal(size=(60, 2))


def dataset(**columns) -> Dataset:
    whole = {
        "a": X[:, 0],
        "b": X[:, 1],
        "label": np.arange(60) % 3,
        "part": np.repeat([0, 1, 2], 20),
    } | columns
    return Dataset({"all": Table({name: np.asarray(column) for name, column in whole.items() if column is not None})})


def spec(**fields) -> DataSpec:
    return DataSpec.model_validate({"train": "d", "target": "label"} | fields)


BY_PART = {"type": "column", "column": "part"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inputs_are_contiguous_arrays_of_the_wanted_type(dtype):
    data = prepare(spec(), {"d": dataset()}, dtype=dtype)
    for part, rows in {"train": 36, "dev": 12, "test": 12}.items():
        assert data.x[part].shape == (rows, 3) and data.x[part].dtype == dtype
        assert data.x[part].flags.c_contiguous and data.y[part].dtype == np.int64
    np.testing.assert_allclose(data.x["train"].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(data.x["train"].std(axis=0), 1, atol=1e-6)


@given(st.integers(20, 59), st.floats(-1e9, 1e9))
def test_train_does_not_change_when_a_dev_or_test_row_does(row, value):
    changed = X[:, 0].copy()
    changed[row] = value
    before, after = (prepare(spec(split=BY_PART), {"d": dataset(a=a)}, dtype="float64") for a in (X[:, 0], changed))
    np.testing.assert_array_equal(before.x["train"], after.x["train"])
    for name, array in before.preprocessor.arrays().items():
        np.testing.assert_array_equal(array, after.preprocessor.arrays()[name])


def test_dev_is_scaled_by_the_statistics_of_train():
    data = prepare(spec(split=BY_PART, features=["b", "a"]), {"d": dataset()}, dtype="float64")
    train, dev = X[:20, ::-1], X[20:40, ::-1]
    np.testing.assert_allclose(data.x["dev"], (dev - train.mean(axis=0)) / train.std(axis=0), rtol=1e-12)


def test_classes_are_numbered_in_order_of_their_labels():
    data = prepare(spec(split=BY_PART), {"d": dataset(label=np.tile([7, -3, 7], 20))}, dtype="float32")
    assert data.preprocessor.classes == (-3, 7)
    np.testing.assert_array_equal(data.y["train"][:3], [1, 0, 1])


@pytest.mark.parametrize(
    ("label", "loss", "kind", "n_out"),
    [
        (np.arange(60) % 20, "auto", "classes", 20),
        (np.arange(60.0) % 3, "auto", "classes", 3),
        (np.arange(60) % 2 == 0, "auto", "classes", 2),
        (np.arange(60) % 21, "auto", "values", 1),
        (X[:, 0], "auto", "values", 1),
        (np.arange(60) % 3, "mean_squared_error", "values", 1),
        (np.arange(60) % 30, "softmax_cross_entropy", "classes", 30),
        (np.arange(60) % 2, "sigmoid_cross_entropy", "classes", 2),
        (X > 0, "auto", "multilabel", 2),
        (X > 0, "sigmoid_cross_entropy", "multilabel", 2),
        (X > 0, "mean_squared_error", "values", 2),
        (X, "auto", "values", 2),
    ],
)
def test_the_target_follows_the_loss_and_else_its_values(label, loss, kind, n_out):
    data = prepare(spec(), {"d": dataset(label=label)}, loss=loss, dtype="float32")
    assert (data.preprocessor.kind, data.preprocessor.n_out) == (kind, n_out)
    shape = (36,) if kind == "classes" else (36, n_out)
    assert data.y["train"].shape == shape
    assert data.y["train"].dtype == (np.int64 if kind == "classes" else np.float32)


def test_a_class_of_one_row_goes_to_train():
    label = np.arange(60) % 2
    label[13] = 5
    data = prepare(spec(), {"d": dataset(label=label)}, dtype="float32")
    assert data.preprocessor.classes == (0, 1, 5)


BY_LABEL = {"type": "column", "column": "label"}
BY_PARTS = {"type": "column", "column": "parts"}
DEV_E = {"type": "given", "dev": "e"}
SOFTMAX, SIGMOID = "softmax_cross_entropy", "sigmoid_cross_entropy"
LONE = {"a": None, "b": None, "part": None}
REFUSED = {
    "an unknown dataset": ({"train": "e"}, {}, "auto", "/data/train", "no dataset 'e'"),
    "an unknown dev set": ({"split": DEV_E}, {}, "auto", "/data/split/dev", "no dataset 'e'"),
    "an unknown target": ({"target": "lable"}, {}, "auto", "/data/target", "Did you mean 'label'"),
    "an unknown feature": ({"features": ["a", "z"]}, {}, "auto", "/data/features/1", "no column 'z'"),
    "an unknown split column": ({"split": BY_PARTS}, {}, "auto", "/data/split/column", "mean 'part'"),
    "a split by the target": ({"split": BY_LABEL}, {}, "auto", "/data/split/column", "is the target"),
    "the target as feature": ({"features": ["a", "label"]}, {}, "auto", "/data/features/1", "the target"),
    "the split as feature": (
        {"features": ["part"], "split": BY_PART},
        {},
        "auto",
        "/data/features/0",
        "split",
    ),
    "nothing to predict from": ({}, LONE, "auto", "/data/features", "no column"),
    "one class": ({}, {"label": np.ones(60)}, "auto", "/data/target", "nothing to tell apart"),
    "three classes for a sigmoid": ({}, {}, SIGMOID, "/loss/type", "2 classes apart"),
    "fractions as classes": ({}, {"label": X[:, 0]}, SOFTMAX, "/loss/type", "whole numbers"),
    "several values for a softmax": ({}, {"label": X}, SOFTMAX, "/loss/type", "2 values a row"),
    "several values for a sigmoid": ({}, {"label": X}, SIGMOID, "/loss/type", "2 values a row"),
    "an image as target": ({}, {"label": np.zeros((60, 2, 2))}, "auto", "/data/target", "one axis at most"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("refuse", [check, lambda *args, **named: prepare(*args, **named, dtype="float32")])
def test_what_cannot_be_meant_is_refused_at_its_field(name, refuse):
    fields, columns, loss, pointer, sentence = REFUSED[name]
    with pytest.raises(SpecError, match=sentence) as caught:
        refuse(spec(**fields), {"d": dataset(**columns)}, loss=loss)
    assert caught.value.pointer == pointer


def test_a_class_that_train_never_sees_is_named():
    with pytest.raises(SpecError, match="label = 2 occurs in test, but in no row of train") as caught:
        prepare(spec(split=BY_PART), {"d": dataset(label=np.repeat([0, 1, 0, 1, 2, 2], 10))}, dtype="float32")
    assert caught.value.pointer == "/data/target"


def test_another_dataset_without_the_columns_is_refused():
    other = Dataset({"all": Table({"a": X[:, 0], "label": np.arange(60) % 3, "part": np.zeros(60)})})
    given_dev = spec(split={"type": "given", "dev": "o"})
    with pytest.raises(SpecError, match="'o' lacks it") as caught:
        check(given_dev, {"d": dataset(), "o": other})
    assert caught.value.pointer == "/data/split/dev"


def test_inputs_beyond_float32_are_refused():
    wide = {"d": dataset(a=X[:, 0] * 1e300)}
    raw = spec(normalize={"type": "none"})
    assert prepare(raw, wide, dtype="float64").x["train"].max() > 1e299
    for memory_bytes in (None, 1000):  # held as inputs, or as rows of which they are made batch by batch
        with pytest.raises(SpecError, match="do not fit into float32"):
            prepare(raw, wide, dtype="float32", memory_bytes=memory_bytes)


def test_every_dataset_that_a_spec_names_is_listed():
    split = {"type": "given", "dev": "e", "test": "f"}
    assert dataset_references(spec()) == [("/data/train", "d")]
    assert dataset_references(spec(split=split)) == [
        ("/data/train", "d"),
        ("/data/split/dev", "e"),
        ("/data/split/test", "f"),
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"train": ""},
        {"target": "x" * 201},
        {"features": []},
        {"features": ["a", "a"]},
        {"augment": [{"type": "flop"}]},
        {"split": {"type": "thirds"}},
        {"normalize": {"type": "scale", "divide_by": 0}},
        {"normalise": {"type": "none"}},
    ],
)
def test_a_malformed_spec_is_refused(fields):
    with pytest.raises(ValidationError):
        spec(**fields)


def test_a_spec_survives_json():
    before = spec(split=BY_PART, features=["a"], normalize={"type": "scale"})
    assert DataSpec.model_validate_json(before.model_dump_json()) == before
