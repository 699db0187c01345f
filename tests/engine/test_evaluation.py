"""What a network says to a whole set, and what that loses, is what its formulas say."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from engine.evaluation import Evaluation, Workspaces, plain_answers
from engine.kernels import blas
from engine.layers import AnyLayer
from tests.engine.families import each, name
from tests.engine.problems import PROBLEMS, Problem, random_parameters

M = 700  # three blocks, the last one short
NORM, DROP = {"type": "batch_norm"}, {"type": "dropout", "keep_prob": 0.7}
TOLERANCE = {"float32": 2e-6, "float64": 1e-13}


@contextmanager
def blas_threads(count: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """So many threads, however little there is to do."""
    with monkeypatch.context() as patched:
        patched.setattr(blas, "threads", lambda: count)
        patched.setattr("engine.kernels.answering.WORTH", 1.0)
        yield


def layers_with(layer: object) -> tuple[object, ...]:
    members = {type(member): member for member in each(AnyLayer)}
    dense, norm, drop = (next(m for kind, m in members.items() if kind.__name__ == n) for n in
                         ("Dense", "BatchNorm", "Dropout"))  # fmt: skip
    return (layer, dense, norm, layer, drop, dense, layer, norm, drop)


def assert_alike(problem: Problem, layers: tuple[object, ...], precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = problem.network(*layers)  # type: ignore[arg-type]
    examples = problem.examples(network, M, dtype=precision)
    parameters = random_parameters(network)
    parameters.averages[:] = 0.5 + np.random.default_rng(2).random(parameters.averages.size)
    parameters = parameters.astype(precision)
    plain = np.empty((M, network.n_out), precision)
    cost = plain_answers(network, parameters, examples, Workspaces(network, np.dtype(precision)), plain) / M
    answers = network.loss.output(plain)
    bits = set()
    for threads in (1, 2, 3):
        with blas_threads(threads, monkeypatch):
            workspaces = Workspaces(network, np.dtype(precision))
            assert workspaces.answering is not None
            found = Evaluation(network, parameters, examples, workspaces)
        said = found.answers[:, -network.n_out :]
        np.testing.assert_allclose(said, answers, 0, TOLERANCE[precision] * max(1, np.abs(answers).max()))
        assert found.cost == pytest.approx(cost, rel=TOLERANCE[precision])
        bits.add((said.tobytes(), found.cost))
    assert len(bits) == 1


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("layer", each(AnyLayer), ids=name)
def test_every_layer_answers_as_its_formula_whatever_the_threads(
    layer: object, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_alike(PROBLEMS[0], layers_with(layer), precision, monkeypatch)


@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_every_loss_of_every_target(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    for precision in TOLERANCE:
        assert_alike(problem, layers_with(each(AnyLayer)[0])[1:3], precision, monkeypatch)
