"""Every optimizer steps as optax and scikit-learn do, and gets down from where it should."""

import jax
import numpy as np
import optax
import pytest
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

from engine.optimizers import Adam, AdamW, AnyOptimizer, GradientDescent, Momentum, Optimizer, RMSprop
from engine.parameters import Arrays
from engine.regularization import clip_by_norm, clip_by_value
from tests.engine.families import each, members, name, type_of
from tests.engine.steps import (
    Steps,
    assert_descends_the_parabola,
    assert_descends_the_valley,
    assert_rests_without_a_slope,
)

STEPS = 200
GRADIENTS = np.random.default_rng(0).standard_normal((STEPS, 6)) * [1e-6, 1e-3, 1, 1, 10, 1e3]
START = np.linspace(-2, 2, 6)
ALPHA = 0.01

TWINS: list[tuple[Optimizer, optax.GradientTransformation]] = [
    (GradientDescent(), optax.sgd(ALPHA)),
    (Momentum(classic=True), optax.sgd(ALPHA, momentum=0.9)),
    (Momentum(classic=True, beta=0.5), optax.sgd(ALPHA, momentum=0.5)),
    (Momentum(classic=True, nesterov=True), optax.sgd(ALPHA, momentum=0.9, nesterov=True)),
    (Momentum(), optax.chain(optax.ema(0.9, debias=False), optax.scale(-ALPHA))),
    (Momentum(bias_correction=True), optax.chain(optax.ema(0.9, debias=True), optax.scale(-ALPHA))),
    (Momentum(nesterov=True), optax.sgd(ALPHA * (1 - 0.9), momentum=0.9, nesterov=True)),
    (RMSprop(), optax.rmsprop(ALPHA, decay=0.9, eps=1e-8, eps_in_sqrt=False)),
    (RMSprop(beta=0.99, epsilon=0.1), optax.rmsprop(ALPHA, decay=0.99, eps=0.1, eps_in_sqrt=False)),
    (Adam(), optax.adam(ALPHA)),
    (Adam(beta1=0.8, beta2=0.9, epsilon=0.01), optax.adam(ALPHA, b1=0.8, b2=0.9, eps=0.01)),
    (AdamW(), optax.adamw(ALPHA, weight_decay=0.01)),
    (AdamW(weight_decay=0.5), optax.adamw(ALPHA, weight_decay=0.5)),
]
VARIANTS = [
    Momentum(classic=True),
    Momentum(bias_correction=True),
    Momentum(nesterov=True),
    Momentum(nesterov=True, bias_correction=True),
]
OPTIMIZERS: list[Optimizer] = [*each(AnyOptimizer), *VARIANTS]


@pytest.mark.parametrize(("optimizer", "twin"), TWINS, ids=[name(optimizer) for optimizer, _ in TWINS])
def test_two_hundred_steps_end_where_those_of_optax_do(
    optimizer: Optimizer, twin: optax.GradientTransformation
) -> None:
    def advance(carry: tuple[jax.Array, optax.OptState], g: jax.Array) -> tuple[object, jax.Array]:
        theta, state = carry
        updates, state = twin.update(g, state, theta)
        theta = optax.apply_updates(theta, updates)
        return (theta, state), theta

    with jax.enable_x64(True):
        _, trajectory = jax.lax.scan(advance, (jax.numpy.asarray(START), twin.init(START)), GRADIENTS)
        expected = np.asarray(trajectory)
    steps = Steps(optimizer, START)
    for g, theta in zip(GRADIENTS, expected, strict=True):
        np.testing.assert_allclose(steps.step(g, ALPHA), theta, rtol=1e-10, atol=1e-13)


def test_every_optimizer_has_a_twin_in_optax() -> None:
    assert {type_of(optimizer) for optimizer, _ in TWINS} == {type_of(m) for m in members(AnyOptimizer)}


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


@pytest.mark.parametrize("limit", [1e-3, 1.0, 1e6])
def test_clipping_by_norm_is_that_of_optax(limit: float) -> None:
    g, clipper = GRADIENTS[0].copy(), optax.clip_by_global_norm(limit)
    with jax.enable_x64(True):
        expected, _ = clipper.update(g, clipper.init(g))
    clip_by_norm(g, limit, Arrays(a=np.zeros(6)))
    np.testing.assert_allclose(g, expected, rtol=1e-12)
    assert np.linalg.norm(g) <= limit * (1 + 1e-12)


@pytest.mark.parametrize("limit", [1e-3, 1.0, 1e6])
def test_clipping_by_value_is_that_of_optax(limit: float) -> None:
    g, clipper = GRADIENTS[0].copy(), optax.clip(limit)
    with jax.enable_x64(True):
        expected, _ = clipper.update(g, clipper.init(g))
    clip_by_value(g, limit)
    np.testing.assert_array_equal(g, expected)
