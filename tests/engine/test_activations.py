"""Every activation has the values of JAX, every loss those of SciPy; they stay finite where exponentials overflow."""

import numpy as np
import pytest
from scipy.special import log_expit, log_softmax

from engine.activations import ELU, Activation, LeakyReLU
from engine.layer import Layer, Mode
from engine.layers import AnyLayer, BatchNorm, Dense
from tests.engine.families import members, name, plain, type_of
from tests.engine.optax_answers import ANSWERS
from tests.engine.problems import (
    PROBLEMS,
    Problem,
    backpropagated,
    hidden,
    passed_through,
    random_parameters,
)

ACTIVATIONS = [plain(member) for member in members(AnyLayer) if issubclass(member, Activation)]
LOGITS = np.array(ANSWERS["logits"]).reshape(-1, 1)
TWINS = [(layer, type_of(layer)) for layer in ACTIVATIONS]
TWINS += [(LeakyReLU(slope=0.3), "leaky_relu, slope 0.3"), (ELU(alpha=1.7), "elu, alpha 1.7")]


@pytest.mark.parametrize(("layer", "twin"), TWINS, ids=[twin for _, twin in TWINS])
def test_every_activation_has_the_values_of_jax(layer: Layer, twin: str) -> None:
    expected = np.array(ANSWERS["activations"][twin]).reshape(LOGITS.shape)
    np.testing.assert_allclose(passed_through(layer, LOGITS), expected, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("layer", [*ACTIVATIONS, BatchNorm()], ids=name)
def test_inputs_of_ten_thousand_leave_every_layer_finite(layer: Layer, precision: str) -> None:
    Z = np.array([[-1e4, 1e4], [1e4, -1e4], [0.0, 1.0]], precision)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for mode in Mode:
            assert np.isfinite(passed_through(layer, Z, mode)).all()


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_logits_of_ten_thousand_leave_cost_gradient_and_answers_finite(problem: Problem, precision: str) -> None:
    network = problem.network()
    examples = problem.examples(network, dtype=precision)
    parameters = random_parameters(network, scale=1e4).astype(precision)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        cost, gradient, workspace = backpropagated(network, parameters, examples)
        logits = workspace.layers[-1].Z
        assert np.abs(logits).max() > 1e4
        answers = network.predict(examples.inputs.x, parameters)
    assert np.isfinite(cost) and np.isfinite(gradient.vector).all() and np.isfinite(answers).all()
    if problem.loss.task == "classes":
        assert answers.min() >= 0 and answers.max() <= 1


@pytest.mark.parametrize("layer", ACTIVATIONS, ids=name)
@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_exploded_weights_leave_backpropagation_finite(layer: Layer, problem: Problem) -> None:
    network = problem.network(*hidden(layer))
    cost, gradient, _ = backpropagated(network, random_parameters(network, scale=20), problem.examples(network))
    assert np.isfinite(cost) and np.isfinite(gradient.vector).all()


@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_every_loss_has_the_value_of_scipys_logarithms(problem: Problem) -> None:
    network = problem.network(Dense(units=3))
    examples, parameters = problem.examples(network), random_parameters(network, scale=2)
    cost, _, workspace = backpropagated(network, parameters, examples)
    Z, y = workspace.layers[-1].Z, examples.y
    smoothing = getattr(problem.loss, "label_smoothing", 0.0)
    wanted = y.reshape(Z.shape) if Z.shape[1] == 1 or y.ndim == 2 else np.eye(Z.shape[1])[y]
    if type_of(problem.loss) == "softmax_cross_entropy":
        smooth = wanted * (1 - smoothing) + smoothing / Z.shape[1]
        each = -(smooth * log_softmax(Z, axis=1)).sum(axis=1)
    elif type_of(problem.loss) == "sigmoid_cross_entropy":
        smooth = wanted * (1 - smoothing) + smoothing / 2
        each = -(smooth * log_expit(Z) + (1 - smooth) * log_expit(-Z)).sum(axis=1)
    else:
        each = ((Z - wanted) ** 2).mean(axis=1)
    weights = 1.0 if examples.weights is None else examples.weights[y, 0]
    assert cost == pytest.approx(np.mean(each * weights), rel=1e-12)
