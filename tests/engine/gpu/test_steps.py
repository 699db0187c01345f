"""A run on a device gives what the plain formulas give on the CPU: on a GPU, and where there is none on what stands in.

What stands in are the formulas beside the kernels; and, for a few runs with all that there is, the kernels' own text
as a C++ compiler has it.
"""

from functools import partial
from typing import get_args

import numpy as np
import pytest

import engine.gpu.kernel
from engine import RandomStreams
from engine.activations import AnyActivation
from engine.devices import Placement
from engine.layers import AnyLayer
from engine.optimizers import AnyOptimizer, Momentum
from engine.training import Run
from tests.engine.families import each, name
from tests.engine.gpu.compiled_text import COMPILER, CompiledText
from tests.engine.gpu.places import Make, everywhere
from tests.engine.jobs import KINDS, prepared, spec_of, toy

BATCHES = {
    "training": {"batch_size": 16},
    "optimizer": {"type": "gradient_descent", "learning_rate": 0.1},  # others make much of a gradient that is all but 0
}
CLIPS = [{}, {"clip_norm": 0.05}, {"clip_value": 0.01}, {"clip_norm": 0.05, "clip_value": 0.02}]
DENSE = {"type": "dense", "units": 7}


class Recorded(RandomStreams):
    """The same numbers, by a class that kernels do not know: so the run takes the plain formulas."""


def trained(make: Make | None, kind: str = "three classes", measure: bool = True, epochs: int = 3, **fields: object):
    """A run after some epochs, and the sums of its costs; without a device by the plain formulas."""
    spec = spec_of(**fields)
    network, data = prepared(spec, toy(kind, m=60))
    streams = (Recorded if make is None else RandomStreams)(spec.seed)
    run = Run(network, spec, data, None, None, streams, placement=Placement(make() if make else None))
    sums = np.zeros(8)
    for epoch in range(1, epochs + 1):
        for portion in run.portions(epoch):
            rate = partial(lambda rate, t: rate * 0.99**t, spec.optimizer.learning_rate / epoch)
            for taken in run.descent.run(portion, run.batch_size, rate, run.step + 1, sums, measure=measure):
                run.step += taken
    run.step -= run.descent.settle(sums)
    run.descent.fetch(slots=True)
    return run, sums


def assert_same_run(make: Make, rtol: float, atol: float, **fields: object) -> None:
    plain, costs = trained(None, **fields)
    there, sums = trained(make, **fields)
    assert plain.step == there.step
    np.testing.assert_allclose(there.parameters.theta, plain.parameters.theta, rtol, atol)
    np.testing.assert_allclose(there.parameters.averages, plain.parameters.averages, rtol, atol)
    np.testing.assert_allclose(sums[[0, 1, 3, 4]], costs[[0, 1, 3, 4]], rtol)
    assert sums[2] == costs[2] and sums[5] == costs[5]
    for letter in plain.spec.optimizer.slots:
        np.testing.assert_allclose(*(getattr(one.descent.slots, letter) for one in (there, plain)), rtol, atol)
    for mine, other in zip(there.descent.measured, plain.descent.measured, strict=True):
        for a, b in zip(mine.to_json().values(), other.to_json().values(), strict=True):
            assert a == b if b is None else a == pytest.approx(b, rel=rtol, abs=atol)


def assert_same(make: Make, **fields: object) -> None:
    assert_same_run(make, 1e-8, 1e-11, precision="float64", **fields)
    assert_same_run(make, 1e-3, 2e-5, **fields)


@everywhere
@pytest.mark.parametrize("layer", each(AnyLayer), ids=name)
def test_every_layer_behind_a_dense_one_and_in_front(make: Make, layer: object) -> None:
    one = layer.model_dump()  # type: ignore[attr-defined]
    assert_same(make, layers=[DENSE, one, one, DENSE, one], **BATCHES)
    assert_same(make, layers=[one, one, DENSE], **BATCHES)


@everywhere
@pytest.mark.parametrize("layer", [member() for member in get_args(AnyActivation)], ids=name)
def test_every_activation_between_the_layers_that_look_at_a_batch(make: Make, layer: object) -> None:
    one, norm, drop = layer.model_dump(), {"type": "batch_norm"}, {"type": "dropout", "keep_prob": 0.7}  # type: ignore[attr-defined]
    assert_same(make, layers=[DENSE, norm, one, drop, DENSE, one, norm, drop], **BATCHES)


@everywhere
@pytest.mark.parametrize("kind", KINDS)
def test_every_target_linear_and_deep_in_small_batches_and_a_full_one(make: Make, kind: str) -> None:
    assert_same(make, kind=kind, layers=[], **BATCHES)
    assert_same(make, kind=kind, layers=[DENSE, {"type": "tanh"}], training={"batch_size": "full"})


@everywhere
@pytest.mark.parametrize("kind", ["two classes", "three classes"])
def test_smoothed_targets_and_weights_of_classes(make: Make, kind: str) -> None:
    loss = {"type": "sigmoid_cross_entropy" if kind == "two classes" else "softmax_cross_entropy"}
    assert_same(make, kind=kind, loss=loss | {"label_smoothing": 0.1, "class_weights": "balanced"}, **BATCHES)


@everywhere
@pytest.mark.parametrize(
    "optimizer", [*each(AnyOptimizer), Momentum(classic=True, bias_correction=True, nesterov=True)], ids=name
)
def test_every_optimizer_with_clipping_and_penalties(make: Make, optimizer: object) -> None:
    for clip in CLIPS:
        fields = {"optimizer": optimizer, "training": {"batch_size": 16} | clip}
        assert_same(make, regularization={"l1": 0.02, "l2": 0.3}, layers=[DENSE, {"type": "tanh"}], **fields)
    assert_same(make, optimizer=optimizer, training={"batch_size": 16})


NORM, DROP = {"type": "batch_norm"}, {"type": "dropout", "keep_prob": 0.7}
ALL = [activation().model_dump() for activation in get_args(AnyActivation)]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks so small that even a toy's arrays take several of them."""
    for constant, value in {"THREADS": 16, "LANES": 4, "HEIGHT": 4, "MOST_PARTS": 3}.items():
        monkeypatch.setattr(engine.gpu.kernel, constant, value)


@pytest.mark.skipif(COMPILER is None, reason="the text of the kernels is compiled as C++, and there is no g++")
@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "three classes", "layers": [DENSE, NORM, *ALL[:4], DROP, DENSE, ALL[4], NORM, DROP], **BATCHES},
        {"kind": "two classes", "layers": [NORM, *(one for layer in ALL for one in (DENSE, layer))], **BATCHES},
        {"kind": "labels", "layers": [DROP, DENSE, NORM, ALL[3], DENSE]},
        {"kind": "values", "optimizer": {"type": "rmsprop"}, "training": {"batch_size": 16, "clip_norm": 0.05}},
        {"optimizer": Momentum(nesterov=True), "training": {"batch_size": 7, "clip_value": 0.01}},
        {
            "optimizer": {"type": "adamw"},
            "regularization": {"l1": 0.02, "l2": 0.3},
            "training": {"batch_size": 16, "clip_norm": 0.05, "clip_value": 0.02},
            "loss": {"type": "softmax_cross_entropy", "class_weights": "balanced", "label_smoothing": 0.1},
        },
    ],
    ids=["deep", "deeper", "labels", "values", "momentum", "everything else"],
)
def test_the_text_of_the_kernels_gives_the_same(fields: dict[str, object]) -> None:
    assert_same(CompiledText, **fields)
