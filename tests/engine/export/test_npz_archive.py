"""An exported archive is plain NumPy and JSON, enough to predict with nothing else."""

import json
from pathlib import Path

import numpy as np

from engine import Model
from engine.export import write_npz
from tests.engine.export.mixed import mixed_model
from tests.engine.jobs import events_of, finished, spec_of, toy


def test_numpy_and_json_are_enough_to_predict(tmp_path: Path) -> None:
    model: Model = finished(events_of(spec_of(precision="float64", training={"epochs": 3}), toy("value"))).model
    write_npz(model, tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz", allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    description = json.loads(arrays["description"].tobytes())
    assert description["weights_sha256"] == model.weights_sha256
    assert [layer["type"] for layer in description["spec"]["layers"]] == ["dense", "tanh"]
    x = toy("value").parts["test"].columns["x"][:]
    scaled = (x - arrays["normalize_mean"]) / arrays["normalize_std"]
    value = np.tanh(scaled @ arrays["W1"] + arrays["b1"]) @ arrays["W2"] + arrays["b2"]
    np.testing.assert_allclose(value[:, 0], [said["value"] for said in model.predict(x)], rtol=1e-12)


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_npz(mixed_model(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
