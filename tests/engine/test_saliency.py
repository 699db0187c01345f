"""The gradient of an answer by the inputs agrees with finite differences, for every task and layer."""

from typing import Any

import numpy as np
import pytest

from engine import JobSpec, Model, Network, SpecError, Table, load_sample, prepare, train
from engine.data import Dataset
from engine.events import Finished
from engine.saliency import input_gradient, saliency

LAYERS: list[dict[str, Any]] = [
    {"type": "dense", "units": 6},
    {"type": "batch_norm"},
    {"type": "tanh"},
    {"type": "dropout", "keep_prob": 0.8},
    {"type": "dense", "units": 5},
    {"type": "sigmoid"},
]


def trained(data: dict[str, Any], dataset: Dataset, **fields: Any) -> Model:
    chosen = {"data": data, "layers": LAYERS, "precision": "float64", "training": {"epochs": 3}, **fields}
    spec = JobSpec.model_validate({**chosen, "checks": {"gradients": []}})
    prepared = prepare(spec.data, {data["train"]: dataset}, loss=spec.loss.type, dtype=spec.precision)
    *_, last = train(Network.of(spec, prepared.preprocessor), spec, prepared)
    assert isinstance(last, Finished)
    return last.model


def several_labels() -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 3))
    return Dataset({"all": Table({"x": x, "label": (x @ rng.normal(size=(3, 2)) > 0).astype(np.int64)})})


MODELS = {
    "classes": lambda: trained({"train": "iris", "target": "label"}, load_sample("iris")),
    "two classes": lambda: trained({"train": "breast_cancer", "target": "label"}, load_sample("breast_cancer")),
    "values": lambda: trained({"train": "diabetes", "target": "target"}, load_sample("diabetes")),
    "labels": lambda: trained({"train": "rows", "target": "label"}, several_labels()),
    "no hidden layer": lambda: trained({"train": "iris", "target": "label"}, load_sample("iris"), layers=[]),
}


@pytest.mark.parametrize("kind", MODELS)
def test_the_gradient_is_what_finite_differences_say(kind: str) -> None:
    model = MODELS[kind]()
    X = np.random.default_rng(1).normal(size=(3, model.network.n_in))
    outputs = model.answers(X).shape[1]
    h = 1e-6
    for place in range(outputs):
        found = input_gradient(model, X, place)
        for j in range(model.network.n_in):
            up, down = X.copy(), X.copy()
            up[:, j] += h
            down[:, j] -= h
            differences = (model.answers(up)[:, place] - model.answers(down)[:, place]) / (2 * h)
            np.testing.assert_allclose(found[:, j], differences, rtol=1e-5, atol=1e-8)


def test_a_row_is_explained_in_the_units_in_which_it_is_sent() -> None:
    model = MODELS["classes"]()
    row = [5.9, 3.0, 4.2, 1.5]
    told = saliency(model, row)
    (prediction,) = model.predict([row])
    assert told.output == str(prediction["label"])
    assert told.answer == prediction["probabilities"][told.output]  # type: ignore[index]
    h = 1e-5
    for place, one in enumerate(told.inputs):
        up, down = list(row), list(row)
        up[place] += h
        down[place] -= h
        answers = [p["probabilities"][told.output] for p in model.predict([up, down])]  # type: ignore[index]
        assert one.gradient == pytest.approx((answers[0] - answers[1]) / (2 * h), rel=1e-4)
    assert saliency(model, row, "2").output == "2"
    with pytest.raises(SpecError, match="no output 'setosa'"):
        saliency(model, row, "setosa")


def test_explaining_leaves_the_model_as_it_was() -> None:
    model = MODELS["values"]()
    before, rows = model.weights_sha256, [[0.01] * 10]
    answer = model.predict(rows)
    saliency(model, rows[0])
    assert (model.weights_sha256, model.predict(rows)) == (before, answer)
