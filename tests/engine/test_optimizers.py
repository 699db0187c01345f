"""Every optimizer steps as optax and scikit-learn do, and gets down from where it should."""

import numpy as np
import pytest
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

from engine.optimizers import Adam, AdamW, AnyOptimizer, GradientDescent, Momentum, Optimizer, RMSprop
from engine.parameters import Arrays
from engine.regularization import clip_by_norm, clip_by_value
from tests.engine.families import each, members, name, type_of
from tests.engine.optax_answers import ANSWERS
from tests.engine.steps import (
    Steps,
    assert_descends_the_parabola,
    assert_descends_the_valley,
    assert_rests_without_a_slope,
)

ALPHA, START, GRADIENTS = ANSWERS["alpha"], np.array(ANSWERS["start"]), np.array(ANSWERS["gradients"])
TWINS: list[tuple[str, Optimizer]] = [
    ("gradient descent", GradientDescent()),
    ("momentum", Momentum(classic=True)),
    ("momentum, beta 0.5", Momentum(classic=True, beta=0.5)),
    ("momentum, nesterov", Momentum(classic=True, nesterov=True)),
    ("average", Momentum()),
    ("average, corrected", Momentum(bias_correction=True)),
    ("average, nesterov", Momentum(nesterov=True)),
    ("rmsprop", RMSprop()),
    ("rmsprop, beta 0.99, epsilon 0.1", RMSprop(beta=0.99, epsilon=0.1)),
    ("adam", Adam()),
    ("adam, betas 0.8 0.9, epsilon 0.01", Adam(beta1=0.8, beta2=0.9, epsilon=0.01)),
    ("adamw", AdamW()),
    ("adamw, decay 0.5", AdamW(weight_decay=0.5)),
]
VARIANTS = [
    Momentum(classic=True),
    Momentum(bias_correction=True),
    Momentum(nesterov=True),
    Momentum(nesterov=True, bias_correction=True),
]
OPTIMIZERS: list[Optimizer] = [*each(AnyOptimizer), *VARIANTS]


@pytest.mark.parametrize(("twin", "optimizer"), TWINS, ids=[twin for twin, _ in TWINS])
def test_two_hundred_steps_end_where_those_of_optax_do(twin: str, optimizer: Optimizer) -> None:
    steps, expected = Steps(optimizer, START), dict(zip(ANSWERS["kept"], ANSWERS["optimizers"][twin], strict=True))
    for t, g in enumerate(GRADIENTS, 1):
        theta = steps.step(g, ALPHA)
        if t in expected:
            np.testing.assert_allclose(theta, expected.pop(t), rtol=1e-10, atol=1e-13)
    assert expected == {}


def test_every_optimizer_has_a_twin_in_optax() -> None:
    assert {type_of(optimizer) for _, optimizer in TWINS} == {type_of(m) for m in members(AnyOptimizer)}


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_steps_as_in_scikit_learn(nesterov: bool) -> None:
    theirs = SGDOptimizer([START], learning_rate_init=ALPHA, momentum=0.9, nesterov=nesterov)
    ours, theta = Steps(Momentum(classic=True, nesterov=nesterov), START), START.copy()
    for g in GRADIENTS:
        theirs.update_params([theta], [g])
        np.testing.assert_allclose(ours.step(g, ALPHA), theta, rtol=1e-10)


def test_adam_steps_as_in_scikit_learn_where_epsilon_means_the_same() -> None:
    """Theirs is ε-hat, added to √s before the bias correction: ε̂ = ε·√(1 − β₂ᵗ) there is ε here."""
    theirs = AdamOptimizer([START], learning_rate_init=ALPHA, epsilon=1e-3)
    ours, theta = Steps(Adam(), START), START.copy()
    for t, g in enumerate(GRADIENTS, 1):
        ours.optimizer = Adam(epsilon=1e-3 / np.sqrt(1 - 0.999**t))
        theirs.update_params([theta], [g])
        np.testing.assert_allclose(ours.step(g, ALPHA), theta, rtol=1e-10)


def test_decoupled_decay_shrinks_what_plain_gradient_descent_with_l2_shrinks() -> None:
    """Under plain gradient descent an L2 gradient λ·W and the factor (1 − αλ) are the same thing."""
    W = np.array([3.0, -2.0])
    AdamW(weight_decay=0.1).decay(W, 0.5)
    np.testing.assert_allclose(W, np.array([3.0, -2.0]) * (1 - 0.5 * 0.1))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=name)
def test_without_a_gradient_and_decay_nothing_moves(optimizer: Optimizer) -> None:
    assert_rests_without_a_slope(optimizer)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=name)
def test_every_optimizer_descends_the_parabola(optimizer: Optimizer) -> None:
    assert_descends_the_parabola(optimizer)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=name)
def test_every_optimizer_descends_rosenbrocks_valley(optimizer: Optimizer) -> None:
    assert_descends_the_valley(optimizer)


@pytest.mark.parametrize("number", range(len(ANSWERS["limits"])))
def test_clipping_by_norm_is_that_of_optax(number: int) -> None:
    g, limit = GRADIENTS[0].copy(), ANSWERS["limits"][number]
    clip_by_norm(g, limit, Arrays(a=np.zeros(6)))
    np.testing.assert_allclose(g, ANSWERS["clipped by norm"][number], rtol=1e-12)
    assert np.linalg.norm(g) <= limit * (1 + 1e-12)


@pytest.mark.parametrize("number", range(len(ANSWERS["limits"])))
def test_clipping_by_value_is_that_of_optax(number: int) -> None:
    g = GRADIENTS[0].copy()
    clip_by_value(g, ANSWERS["limits"][number])
    np.testing.assert_array_equal(g, ANSWERS["clipped by value"][number])
