"""Ask optax and JAX what the suite compares with, and print it: `python -m tests.engine.ask_optax`."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import optax

ALPHA, END = 0.01, 200
START = np.linspace(-2, 2, 6)
GRADIENTS = np.random.default_rng(0).standard_normal((END, 6)) * [1e-6, 1e-3, 1, 1, 10, 1e3]
LOGITS = [*np.linspace(-8, 8, 81), -1e4, 1e4]
KEPT = (1, 2, 3, 10, 50, END)  # the steps whose θ is written down

OPTIMIZERS = {
    "gradient descent": optax.sgd(ALPHA),
    "momentum": optax.sgd(ALPHA, momentum=0.9),
    "momentum, beta 0.5": optax.sgd(ALPHA, momentum=0.5),
    "momentum, nesterov": optax.sgd(ALPHA, momentum=0.9, nesterov=True),
    "average": optax.chain(optax.ema(0.9, debias=False), optax.scale(-ALPHA)),
    "average, corrected": optax.chain(optax.ema(0.9, debias=True), optax.scale(-ALPHA)),
    "average, nesterov": optax.sgd(ALPHA * (1 - 0.9), momentum=0.9, nesterov=True),
    "rmsprop": optax.rmsprop(ALPHA, decay=0.9, eps=1e-8, eps_in_sqrt=False),
    "rmsprop, beta 0.99, epsilon 0.1": optax.rmsprop(ALPHA, decay=0.99, eps=0.1, eps_in_sqrt=False),
    "adam": optax.adam(ALPHA),
    "adam, betas 0.8 0.9, epsilon 0.01": optax.adam(ALPHA, b1=0.8, b2=0.9, eps=0.01),
    "adamw": optax.adamw(ALPHA, weight_decay=0.01),
    "adamw, decay 0.5": optax.adamw(ALPHA, weight_decay=0.5),
    "adagrad": optax.adagrad(ALPHA, initial_accumulator_value=0.0, eps=1e-8),
}
RATE = 0.3
SCHEDULES = {
    "constant": optax.constant_schedule(RATE),
    "exponential 0.95": optax.exponential_decay(RATE, 1, 0.95),
    "half every 10": optax.exponential_decay(RATE, 10, 0.5, staircase=True),
    "cosine": optax.cosine_decay_schedule(RATE, END),
    "cosine to a tenth": optax.cosine_decay_schedule(RATE, END, alpha=0.1),
    "half at 50, a tenth at 120": optax.piecewise_constant_schedule(RATE, {50: 0.5, 120: 0.1}),
    "from a tenth in 9": optax.linear_schedule(RATE / 10, RATE, 9),
}
LIMITS = (1e-3, 1.0, 1e6)
ACTIVATIONS = {
    "linear": lambda Z: Z,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "leaky_relu": lambda Z: jax.nn.leaky_relu(Z, 0.01),
    "leaky_relu, slope 0.3": lambda Z: jax.nn.leaky_relu(Z, 0.3),
    "elu": jax.nn.elu,
    "elu, alpha 1.7": lambda Z: jax.nn.elu(Z, 1.7),
    "silu": jax.nn.silu,
    "gelu": lambda Z: jax.nn.gelu(Z, approximate=True),
}


def listed(numbers: object) -> list[object]:
    """As JSON has them, with every digit."""
    return list(np.asarray(numbers, np.float64).tolist())


def trajectory(optimizer: optax.GradientTransformation) -> list[object]:
    """θ after each of the steps that are kept."""

    def advance(carry: tuple[jax.Array, optax.OptState], g: jax.Array) -> tuple[object, jax.Array]:
        theta, state = carry
        updates, state = optimizer.update(g, state, theta)
        theta = optax.apply_updates(theta, updates)
        return (theta, state), theta

    _, thetas = jax.lax.scan(advance, (jnp.asarray(START), optimizer.init(jnp.asarray(START))), jnp.asarray(GRADIENTS))
    return listed(thetas[jnp.asarray(KEPT) - 1])


def clipped(clipper: optax.GradientTransformation) -> list[object]:
    g = jnp.asarray(GRADIENTS[0])
    return listed(clipper.update(g, clipper.init(g))[0])


def answers() -> dict[str, object]:
    """Everything, with what was asked."""
    epochs, Z = np.arange(END), jnp.asarray(LOGITS)
    return {
        "versions": {"jax": jax.__version__, "optax": optax.__version__},
        "alpha": ALPHA, "start": listed(START), "gradients": listed(GRADIENTS), "kept": list(KEPT),
        "optimizers": {name: trajectory(optimizer) for name, optimizer in OPTIMIZERS.items()},
        "rate": RATE, "end": END,
        "schedules": {name: listed(jnp.broadcast_to(rate(epochs), END)) for name, rate in SCHEDULES.items()},
        "limits": list(LIMITS),
        "clipped by norm": [clipped(optax.clip_by_global_norm(limit)) for limit in LIMITS],
        "clipped by value": [clipped(optax.clip(limit)) for limit in LIMITS],
        "logits": listed(LOGITS),
        "activations": {name: listed(activation(Z)) for name, activation in ACTIVATIONS.items()},
    }  # fmt: skip


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    print(json.dumps(answers(), indent=0, sort_keys=True))


if __name__ == "__main__":
    main()
