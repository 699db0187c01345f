"""The fast step gives what the plain formulas give, for every member of every family and any number of threads."""

import subprocess
import sys
from functools import partial
from typing import get_args

import numpy as np
import pytest

from engine import RandomStreams
from engine.activations import AnyActivation
from engine.kernels import Inputs, Program, Team, blas
from engine.kernels.team import EVERY_ROW
from engine.layers import AnyLayer
from engine.optimizers import AnyOptimizer, Momentum
from engine.training import Run
from tests.engine.families import each, name
from tests.engine.jobs import KINDS, prepared, spec_of, toy


class Recorded(RandomStreams):
    """The same numbers, by a class that kernels do not know: so the run takes the plain formulas."""


def run_of(kind: str = "three classes", plain: bool = False, threads: int = 1, m: int = 60, **fields: object) -> Run:
    spec = spec_of(**fields)
    network, data = prepared(spec, toy(kind, m=m))
    run = Run(network, spec, data, None, None, (Recorded if plain else RandomStreams)(spec.seed))
    descent = run.descent
    assert (descent.team is None) == plain
    if threads > 1:
        program = Program(network, spec, run.batch_size, descent.parameters.theta.dtype, threads)
        descent.team = Team(program, descent.parameters, descent.gradient, descent.slots, run.train, run.streams)
    return run


def falling(rate: float, t: int) -> float:
    return rate * 0.99**t


def trained(epochs: int = 3, measure: bool = False, **fields: object) -> tuple[Run, np.ndarray]:
    """A run after some epochs, and the sums of its costs."""
    run = run_of(**fields)
    sums = np.zeros(8)
    for epoch in range(1, epochs + 1):
        for portion in run.portions(epoch):
            rate = partial(falling, run.spec.optimizer.learning_rate / epoch)
            for taken in run.descent.run(portion, run.batch_size, rate, run.step + 1, sums, measure=measure):
                run.step += taken
    return run, sums


def assert_same_run(rtol: float, atol: float, measure: bool = False, **fields: object) -> None:
    (plain, costs) = trained(plain=True, measure=measure, **fields)
    for threads in (1, 2, 3):
        (fast, sums) = trained(threads=threads, measure=measure, **fields)
        np.testing.assert_allclose(fast.parameters.theta, plain.parameters.theta, rtol, atol)
        np.testing.assert_allclose(fast.parameters.averages, plain.parameters.averages, rtol, atol)
        np.testing.assert_allclose(sums[[0, 1, 3, 4]], costs[[0, 1, 3, 4]], rtol)
        assert sums[2] == costs[2] and sums[5] == costs[5]
        for letter in plain.spec.optimizer.slots:
            kept = getattr(fast.descent.slots, letter), getattr(plain.descent.slots, letter)
            np.testing.assert_allclose(*kept, rtol, atol)
        if measure:
            for mine, other in zip(fast.descent.measured, plain.descent.measured, strict=True):
                for a, b in zip(mine.to_json().values(), other.to_json().values(), strict=True):
                    assert a == b if b is None else a == pytest.approx(b, rel=rtol, abs=atol)


def assert_same(measure: bool = False, **fields: object) -> None:
    assert_same_run(1e-8, 1e-11, measure=measure, precision="float64", **fields)
    assert_same_run(1e-3, 2e-5, measure=measure, **fields)


BATCHES = {
    "training": {"batch_size": 16},
    "optimizer": {"type": "gradient_descent", "learning_rate": 0.1},  # others make much of a gradient that is all but 0
}
CLIPS = [{}, {"clip_norm": 0.05}, {"clip_value": 0.01}, {"clip_norm": 0.05, "clip_value": 0.02}]
DENSE = {"type": "dense", "units": 7}


@pytest.mark.parametrize("layer", each(AnyLayer), ids=name)
def test_every_layer_behind_a_dense_one_and_in_front(layer: object) -> None:
    one = layer.model_dump()  # type: ignore[attr-defined]
    assert_same(layers=[DENSE, one, one, DENSE, one], **BATCHES)
    assert_same(layers=[one, one, DENSE], **BATCHES)


@pytest.mark.parametrize("layer", [member() for member in get_args(AnyActivation)], ids=name)
def test_every_activation_between_the_layers_that_look_at_a_batch(layer: object) -> None:
    one, norm, drop = layer.model_dump(), {"type": "batch_norm"}, {"type": "dropout", "keep_prob": 0.7}  # type: ignore[attr-defined]
    assert_same(layers=[DENSE, norm, one, drop, DENSE, one, norm, drop], measure=True, **BATCHES)


@pytest.mark.parametrize("kind", ["three classes", "value"])
def test_products_that_threads_divide_by_columns(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.kernels.program.FEW_WEIGHTS", 4)
    wide, norm, drop = {"type": "dense", "units": 50}, {"type": "batch_norm"}, {"type": "dropout", "keep_prob": 0.7}
    assert_same(kind=kind, layers=[wide, norm, {"type": "tanh"}, drop, DENSE, wide, {"type": "tanh"}], **BATCHES)
    assert_same(kind=kind, layers=[drop, wide, {"type": "tanh"}, wide], training={"batch_size": "full"})


@pytest.mark.parametrize("clip", [{}, {"clip_norm": 0.05}], ids=["as they are", "clipped"])
def test_whoever_takes_a_panel_makes_the_same_of_it(clip: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.kernels.program.PANEL", 50)
    fields = {"layers": [{"type": "dense", "units": 50}, {"type": "tanh"}, DENSE, {"type": "tanh"}], "threads": 3,
              "regularization": {"l1": 0.02, "l2": 0.3}, "training": {"batch_size": 16} | clip}  # fmt: skip
    (first, costs) = trained(**fields)
    assert first.descent.team is not None and len(first.descent.team.program.panels) > 12
    for _ in range(10):
        (again, sums) = trained(**fields)
        np.testing.assert_array_equal(again.parameters.theta, first.parameters.theta)
        np.testing.assert_array_equal(sums, costs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [[], [DENSE, {"type": "tanh"}]], ids=["linear", "deep"])
def test_every_target(kind: str, layers: list[object]) -> None:
    assert_same(kind=kind, layers=layers, **BATCHES)
    assert_same(kind=kind, layers=layers, training={"batch_size": "full"})


@pytest.mark.parametrize("kind", ["two classes", "three classes"])
def test_smoothed_targets_and_weights_of_classes(kind: str) -> None:
    loss = {"type": "sigmoid_cross_entropy" if kind == "two classes" else "softmax_cross_entropy"}
    assert_same(kind=kind, loss=loss | {"label_smoothing": 0.1, "class_weights": "balanced"}, **BATCHES)


@pytest.mark.parametrize(
    "clip", [{}, {"clip_norm": 0.05}, {"clip_value": 0.01}, {"clip_norm": 0.05, "clip_value": 0.02}]
)
@pytest.mark.parametrize("optimizer", each(AnyOptimizer), ids=name)
def test_every_optimizer_with_clipping_and_penalties(optimizer: object, clip: dict[str, float]) -> None:
    assert_same(
        optimizer=optimizer,
        regularization={"l1": 0.02, "l2": 0.3},
        training={"batch_size": 16} | clip,
        layers=[DENSE, {"type": "tanh"}],
        measure=True,
    )


@pytest.mark.parametrize(
    "optimizer",
    [
        Momentum(classic=True),
        Momentum(bias_correction=True),
        Momentum(nesterov=True),
        Momentum(nesterov=True, classic=True, bias_correction=True),
    ],
    ids=name,
)
def test_every_kind_of_momentum(optimizer: Momentum) -> None:
    assert_same(optimizer=optimizer, training={"batch_size": 16})


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [1, 7, 16])
def test_masks_are_those_of_the_random_streams_to_the_bit(precision: str, batch_size: int) -> None:
    fields = {"precision": precision, "layers": [{"type": "dense", "units": 13}, {"type": "dropout", "keep_prob": 0.6}],
              "training": {"batch_size": batch_size}, "seed": 2**40 + 3}  # fmt: skip
    for threads in (1, 2, 3):
        run = run_of(threads=threads, **fields)
        team = run.descent.team
        assert team is not None
        for t in (1, 2, 1_000_000):
            team.run(
                Inputs(run.train.inputs.x, False, EVERY_ROW), 0, batch_size, batch_size, np.zeros(1), t, np.zeros(8)
            )
            drawn = np.empty((batch_size, 13), precision)
            RandomStreams(run.spec.seed).uniform(1, t, drawn)
            at = team.program.made[1]["D"]
            kept = team.program.masks[at : at + drawn.size].reshape(drawn.shape)
            np.testing.assert_array_equal(kept.astype(bool), drawn < drawn.dtype.type(0.6))


def test_the_blas_has_its_threads_back_afterwards() -> None:
    before = blas.threads()
    with blas.one_thread(), blas.one_thread():
        assert blas.threads() == before
    run_of(threads=2)
    assert blas.threads() == before


OVERLAPPING = """
from concurrent.futures import ThreadPoolExecutor
from threadpoolctl import threadpool_info, threadpool_limits
from engine.kernels import blas

def allowed():  # as the library itself says, whoever asks
    return {library["filepath"]: library["num_threads"] for library in threadpool_info()}[blas.numpys.filepath]

with threadpool_limits(3, "blas"), ThreadPoolExecutor(1) as other:
    first, second = blas.one_thread(), blas.one_thread()
    first.__enter__()
    other.submit(second.__enter__).result()
    first.__exit__(None, None, None)
    inside = allowed()
    other.submit(second.__exit__, None, None, None).result()
    print(inside, allowed())
"""


def test_blocks_of_two_threads_overlap_and_the_last_to_leave_gives_the_threads_back() -> None:
    """In a process of its own: a run that another test has left unfinished is within such a block."""
    said = subprocess.run([sys.executable, "-c", OVERLAPPING], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["1", "3"]


DEEP = [DENSE, {"type": "batch_norm"}, None, {"type": "dropout", "keep_prob": 0.7}, DENSE, None]
FEW_ULP = 4  # of the largest parameter
GRADIENT_ULP = 32  # of the largest derivative: up to 14.5 on three of OpenBLAS's kernels, one output after a sigmoid


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", get_args(AnyActivation), ids=lambda activation: activation().type)
def test_a_step_is_that_of_the_formulas_to_a_few_ulp(activation: type, kind: str, precision: str) -> None:
    """Sums over a batch are formed in another order, and large terms may cancel."""
    fields = {
        "kind": kind,
        "precision": precision,
        "layers": [layer or activation().model_dump() for layer in DEEP],
        "optimizer": {"type": "gradient_descent", "learning_rate": 1.0},
        "regularization": {"l1": 0.01, "l2": 0.1},
        "training": {"batch_size": "full"},
    }
    (plain, _), (fast, _) = (trained(epochs=1, measure=True, plain=plain, **fields) for plain in (True, False))
    assert plain.step == fast.step == 1
    theta, gradient = plain.parameters.theta, plain.descent.gradient.vector
    assert np.abs(fast.parameters.theta - theta).max() <= FEW_ULP * np.spacing(np.abs(theta).max())
    assert np.abs(fast.descent.gradient.vector - gradient).max() <= GRADIENT_ULP * np.spacing(np.abs(gradient).max())
