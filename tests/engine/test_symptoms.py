"""Each warning appears on a job built to have the illness, and on no preset."""

from typing import Any

import numpy as np
import pytest

from engine import JobSpec, LayersMeasured, Network, Warned, load_sample, prepare, train
from engine.presets import PRESETS, Preset
from engine.spec import Checks


def events_of(spec: JobSpec) -> list[Any]:
    samples = {spec.data.train: load_sample(spec.data.train)}
    data = prepare(spec.data, samples, loss=spec.loss.type, dtype=spec.precision)
    return list(train(Network.of(spec, data.preprocessor), spec, data))


def warnings_of(spec: JobSpec) -> set[str]:
    return {event.code for event in events_of(spec) if isinstance(event, Warned)}


def deep(activation: str, layers: int, **changes: Any) -> JobSpec:
    return JobSpec.model_validate(
        {
            "data": {"train": "digits", "target": "label"},
            "layers": [{"type": "dense", "units": 20}, {"type": activation}] * layers,
            "optimizer": {"type": "gradient_descent", "learning_rate": 0.01},
            "training": {"epochs": 12},
            "checks": {"gradients": []},
            **changes,
        }
    )


ILL = {
    "vanishing_gradients": deep("sigmoid", 8),
    "exploding_gradients": deep(
        "relu",
        8,
        initializer={"type": "normal", "std": 1.5},
        optimizer={"type": "gradient_descent", "learning_rate": 1e-12},
    ),
    "dead_units": deep("relu", 2, optimizer={"type": "gradient_descent", "learning_rate": 5.0}),
    "saturated_units": deep("tanh", 2, initializer={"type": "normal", "std": 10.0}),
    "plateau": deep(
        "sigmoid",
        4,
        initializer={"type": "normal", "std": 1e-4},
        optimizer={"type": "gradient_descent", "learning_rate": 0.5},
        training={"epochs": 40, "batch_size": "full"},
    ),
    "symmetric_units": deep("tanh", 2, initializer={"type": "zeros"}),
}


@pytest.mark.parametrize("illness", ILL)
def test_an_illness_is_named_where_it_was_built_in(illness: str) -> None:
    assert illness in warnings_of(ILL[illness])


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_preset_is_healthy(preset: Preset) -> None:
    expected = {"symmetric_units"} if preset.name == "initialization-zeros" else set()
    unchecked = preset.spec.model_copy(update={"checks": Checks(gradients=())})
    assert warnings_of(unchecked) == expected


def test_a_warning_is_given_once() -> None:
    codes = [event.code for event in events_of(ILL["saturated_units"]) if isinstance(event, Warned)]
    assert len(codes) == len(set(codes))


def test_the_statistics_are_those_of_the_layers() -> None:
    events = events_of(deep("relu", 1, training={"epochs": 2, "batch_size": "full"}))
    measured = [event for event in events if isinstance(event, LayersMeasured)]
    assert [event.epoch for event in measured] == [1, 2]
    first = measured[0].layers
    assert [(row.layer, row.units) for row in first] == [(1, 20), (2, 10)]
    for row in first:  # one step of gradient descent: ‖ΔW‖ = α‖dW‖
        assert row.update_ratio == pytest.approx(0.01 * row.gradient_norm / row.weight_norm, rel=1e-3)
        assert np.isfinite(row.signal)
        assert row.signal > 0
