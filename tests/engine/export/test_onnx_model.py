"""An exported model answers in onnxruntime what it answers here."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from engine import Dataset, JobSpec, Model, Network, Table, load_sample, prepare, train
from engine.activations import AnyActivation
from engine.export import write_onnx
from engine.layers import AnyLayer
from engine.presets import PRESETS, Preset
from tests.engine.export.mixed import ROWS, mixed_model
from tests.engine.families import each, members
from tests.engine.jobs import KINDS, events_of, finished, spec_of, toy

Outputs = dict[str, np.ndarray]


def run(path: Path, feed: Outputs) -> Outputs:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, feed), strict=True))


def model_of(dataset: Dataset, **fields: object) -> Model:
    return finished(events_of(spec_of(**fields), dataset)).model


def assert_alike(model: Model, outputs: Outputs, expected: list[dict[str, object]], tolerance: float = 1e-5) -> None:
    """The graph's outputs are the model's own predictions."""
    names = model.network.target.labels
    for number, said in enumerate(expected):
        if "value" in said:
            np.testing.assert_allclose(outputs["value"][number], np.atleast_1d(said["value"]), rtol=0, atol=tolerance)
            continue
        probabilities = said["probabilities"]
        assert isinstance(probabilities, dict)
        np.testing.assert_allclose(outputs["probabilities"][number], list(probabilities.values()), atol=tolerance)
        if "label" in said:
            assert outputs["label"][number] == said["label"]
        else:
            yes = [name for name, is_so in zip(names, outputs["labels"][number], strict=True) if is_so]
            assert yes == said["labels"]


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_every_model_of_the_gallery_agrees_on_its_own_test_rows(preset: Preset, tmp_path: Path) -> None:
    document = preset.spec.model_dump(mode="json")
    document["training"]["epochs"] = 3
    document["checks"]["gradients"] = []
    spec = JobSpec.model_validate(document)
    data = prepare(
        spec.data, {spec.data.train: load_sample(spec.data.train)}, loss=spec.loss.type, dtype=spec.precision
    )
    last = list(train(Network.of(spec, data.preprocessor), spec, data))[-1]
    model = finished([last]).model
    # All rows, those of the test set among them.
    raw = load_sample(spec.data.train).training.select(model.preprocessor.shapes)
    columns = [raw.columns[name][:].reshape(raw.rows, -1) for name in raw.columns]
    x = np.concatenate(columns, axis=1).astype(model.parameters.theta.dtype)
    write_onnx(model, tmp_path / "model.onnx")
    assert_alike(model, run(tmp_path / "model.onnx", {"input": x}), model.predict(x))


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_answer_is_there_in_every_precision(kind: str, precision: str, tmp_path: Path) -> None:
    layers = [{"type": "dense", "units": 8}, {"type": "batch_norm"}, {"type": "relu"}, {"type": "dropout"}]
    model = model_of(toy(kind), layers=layers, precision=precision, training={"epochs": 3})
    x = toy(kind).parts["test"].columns["x"][:].astype(precision)
    write_onnx(model, tmp_path / "model.onnx")
    outputs = run(tmp_path / "model.onnx", {"input": x})
    assert_alike(model, outputs, model.predict(x), 1e-12 if precision == "float64" else 1e-5)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("layer", [str(vars(one)["type"]) for one in each(AnyLayer)])
def test_every_layer_has_its_form(layer: str, precision: str, tmp_path: Path) -> None:
    assert {str(member.model_fields["type"].default) for member in members(AnyLayer)} > {
        str(member.model_fields["type"].default) for member in AnyActivation.__args__
    }
    units = {"units": 3} if layer == "dense" else {}
    # Before the first dense layer, behind one, and behind an activation.
    layers = [{"type": layer, **units}, {"type": "dense", "units": 6}, {"type": layer, **units}, {"type": "tanh"},
              {"type": layer, **units}]  # fmt: skip
    model = model_of(toy("values"), layers=layers, precision=precision, training={"epochs": 2})
    x = 5 * np.random.default_rng(0).standard_normal((40, 4)).astype(precision)
    write_onnx(model, tmp_path / "model.onnx")
    outputs = run(tmp_path / "model.onnx", {"input": x})
    assert_alike(model, outputs, model.predict(x), 1e-10 if precision == "float64" else 1e-5)


@pytest.mark.parametrize("normalize", ["none", "standard", "minmax", "scale"])
def test_every_normalizer_has_its_form(normalize: str, tmp_path: Path) -> None:
    data = {"train": "toy", "target": "label", "normalize": {"type": normalize}}
    model = model_of(toy(), data=data, training={"epochs": 2})
    x = toy().parts["test"].columns["x"][:].astype(np.float32)
    write_onnx(model, tmp_path / "model.onnx")
    assert_alike(model, run(tmp_path / "model.onnx", {"input": x}), model.predict(x))


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("target", ["classes", "value"])
def test_columns_of_every_kind_go_in_raw(target: str, precision: str, tmp_path: Path) -> None:
    model = mixed_model(target, precision)
    write_onnx(model, tmp_path / "model.onnx")
    text = {"color", "size"}
    feed: Outputs = {}
    for name in model.preprocessor.shapes:
        values = [row[name] for row in ROWS]
        if name in text:
            feed[name] = np.array([["" if value is None else value] for value in values], object)
        else:
            numbers = np.array([np.nan if value is None else value for value in values], precision)
            feed[name] = numbers if name == "patch" else numbers[:, None]
    assert_alike(model, run(tmp_path / "model.onnx", feed), model.predict(ROWS))


def test_a_missing_number_is_nan_in_the_matrix(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((90, 2))
    sparse = np.where(generator.random(90) < 0.2, np.nan, x[:, 0])
    table = Table({"sparse": sparse, "full": x[:, 1], "label": (x[:, 1] > 0).astype(float)})
    model = model_of(Dataset({"all": table}), training={"epochs": 2})
    write_onnx(model, tmp_path / "model.onnx")
    outputs = run(tmp_path / "model.onnx", {"input": np.array([[np.nan, 1], [0.5, 2]], np.float32)})
    assert_alike(model, outputs, model.predict([[None, 1], [0.5, 2]]))


def test_the_graph_says_what_it_is(tmp_path: Path) -> None:
    model = mixed_model()
    for name in ("a", "b"):
        write_onnx(model, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    graph = onnx.load(tmp_path / "a")
    onnx.checker.check_model(graph, full_check=True)
    assert {one.domain: one.version for one in graph.opset_import}[""] == 17
    properties = {one.key: one.value for one in graph.metadata_props}
    assert properties["classes"] == '["low", "middle", "high"]'
    assert model.weights_sha256 in properties["weights_sha256"]
