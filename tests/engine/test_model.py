"""A model goes into a file and comes back the same."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from engine import DataError, Model, Network, RowError, load
from engine.initializers import He
from engine.layers import Dense
from engine.losses import SoftmaxCrossEntropy
from engine.network import Target
from engine.predictor import Predictor
from engine.regularization import Regularization
from tests.engine.jobs import KINDS, events_of, finished, spec_of, toy

TARGET = Target("classes", 3, ("a", "b", "c"))
LAYERS = [{"type": "dense", "units": 8}, {"type": "batch_norm"}, {"type": "relu"}, {"type": "dropout"}]


def trained(kind: str, precision: str = "float32") -> Model:
    return finished(events_of(spec_of(layers=LAYERS, precision=precision, training={"epochs": 3}), toy(kind))).model


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_predicts_the_same(kind: str, precision: str, tmp_path: Path) -> None:
    model, path = trained(kind, precision), tmp_path / "model.safetensors"
    model.save(path)
    again = load(path)
    assert again.weights_sha256 == model.weights_sha256
    assert again.spec == model.spec
    x = toy(kind).parts["test"].columns["x"]
    assert again.predict(x) == model.predict(x)


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        trained("three classes").save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_one_row_alone_gets_the_very_bits_that_it_gets_among_others(kind: str, precision: str) -> None:
    model = trained(kind, precision)
    X = model.inputs(np.random.default_rng(0).standard_normal((1200, 4)))
    together = model.answers(X)
    for start, size in ((0, 1), (1, 2), (700, 3), (5, 16), (1100, 17), (64, 130), (1, 1030), (1199, 1)):
        assert (model.answers(X[start : start + size]) == together[start : start + size]).all(), (start, size)


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 140), min_size=1, max_size=3),
    inputs=st.sampled_from([1, 3, 17, 64, 500]),
    precision=st.sampled_from(["float32", "float64"]),
    companies=st.lists(st.integers(1, 150), min_size=2, max_size=4),
)
def test_bits_do_not_depend_on_company_in_a_network_of_any_shape(
    sizes: list[int], inputs: int, precision: str, companies: list[int]
) -> None:
    network = Network(tuple(Dense(units=n) for n in sizes), SoftmaxCrossEntropy(), Regularization(), inputs, TARGET)
    parameters = network.initialized(He(), np.random.default_rng(1), precision)
    X = np.random.default_rng(2).standard_normal((max(companies), inputs)).astype(precision)
    together = Predictor(network, parameters)(X)
    for m in companies:
        last = X[len(X) - m :]
        assert (Predictor(network, parameters)(last) == together[len(X) - m :]).all()


def test_classes_come_with_probabilities_that_add_up_to_1_and_the_largest_wins() -> None:
    for answer in trained("three classes").predict(toy("three classes").parts["test"].columns["x"]):
        probabilities = answer["probabilities"]
        assert isinstance(probabilities, dict)
        assert sum(probabilities.values()) == pytest.approx(1, rel=1e-5)
        assert str(answer["label"]) == max(probabilities, key=probabilities.__getitem__)


def test_the_test_accuracy_is_that_of_its_predictions() -> None:
    last = finished(events_of(spec_of(layers=LAYERS, training={"epochs": 3}), toy("three classes")))
    test = toy("three classes").parts["test"].columns
    right = [p["label"] == y for p, y in zip(last.model.predict(test["x"]), test["label"], strict=True)]
    report = last.result["test"]
    assert isinstance(report, dict)
    assert report["accuracy"] == pytest.approx(np.mean(right))


def test_no_rows_have_no_predictions() -> None:
    assert trained("value").predict([]) == []


def test_another_safetensors_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data"
    toy().save(path)
    with pytest.raises(DataError, match="not a model that was saved here"):
        load(path)


def test_a_large_array_is_answered_to_the_bit_as_its_rows_are() -> None:
    model = finished(events_of(spec_of(training={"epochs": 1}))).model
    rows = np.random.default_rng(0).standard_normal((2500, model.preprocessor.n_in))
    answers, _ = model.answers_to(rows)
    assert answers.tobytes() == model.answers(model.inputs(rows)).tobytes()
    assert answers[1700:1701].tobytes() == model.answers_to(rows[1700:1701])[0].tobytes()


def test_a_row_of_a_large_array_is_named_by_its_number() -> None:
    model = finished(events_of(spec_of(training={"epochs": 1}))).model
    rows = np.zeros((2500, model.preprocessor.n_in))
    rows[2100, 1] = np.inf
    with pytest.raises(RowError, match="row 2100 holds NaN"):
        model.answers_to(rows)


@pytest.mark.parametrize("metadata", [{}, {"model": "resnet"}, {"model": "[1]"}, {"model": "{}"}])
def test_the_file_of_another_program_is_no_model(tmp_path: Path, metadata: dict[str, str]) -> None:
    save_file({"weight": np.zeros(2)}, tmp_path / "other.safetensors", metadata)
    with pytest.raises(DataError, match="not a model that was saved here"):
        load(tmp_path / "other.safetensors")
