"""A gallery of jobs from the textbook, each with a sentence on what to look at."""

from dataclasses import dataclass
from typing import Any

from engine.spec import JobSpec

DENSE_RELU_10_5 = [{"type": "dense", "units": 10}, {"type": "relu"}, {"type": "dense", "units": 5}, {"type": "relu"}]
DENSE_RELU_5_2 = [{"type": "dense", "units": 5}, {"type": "relu"}, {"type": "dense", "units": 2}, {"type": "relu"}]


@dataclass(frozen=True)
class Preset:
    """One job of the gallery."""

    name: str
    title: str
    look_at: str
    spec: JobSpec

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": self.title,
            "look_at": self.look_at,
            "spec": self.spec.model_dump(mode="json", exclude_unset=True),
        }


def preset(name: str, title: str, look_at: str, **spec: Any) -> Preset:
    return Preset(name, title, look_at, JobSpec.model_validate({"name": name, **spec}))


def circles(**fields: Any) -> dict[str, Any]:
    """Two noisy rings, full batch, plain gradient descent: the field on which initializers are compared."""
    return {
        "data": {
            "train": "circles",
            "target": "label",
            "normalize": {"type": "none"},
            "split": {"type": "fractions", "train": 0.7, "dev": 0.15, "test": 0.15},
        },
        "layers": DENSE_RELU_10_5,
        "optimizer": {"type": "gradient_descent", "learning_rate": 0.3},
        "training": {"epochs": 1500, "batch_size": "full"},
        **fields,
    }


def moons(**fields: Any) -> dict[str, Any]:
    """Two noisy half moons, mini-batches of 64: the field on which optimizers are compared."""
    return {
        "data": {"train": "moons", "target": "label", "normalize": {"type": "none"}},
        "layers": DENSE_RELU_5_2,
        "initializer": {"type": "he"},
        "training": {"epochs": 500, "batch_size": 64},
        **fields,
    }


def overfit(keep_prob: float | None = None, **fields: Any) -> dict[str, Any]:
    """A fifth of the moons to learn from and far more units than they need: the field on which variance shows."""
    hidden: list[dict[str, Any]] = [{"type": "dense", "units": 64}, {"type": "relu"}]
    if keep_prob is not None:
        hidden.append({"type": "dropout", "keep_prob": keep_prob})
    return {
        "data": {
            "train": "moons",
            "target": "label",
            "split": {"type": "fractions", "train": 0.2, "dev": 0.4, "test": 0.4},
        },
        "layers": hidden * 2,
        "optimizer": {"type": "adam", "learning_rate": 0.01},
        "training": {"epochs": 600, "batch_size": "full", "keep": "last"},
        **fields,
    }


PRESETS: tuple[Preset, ...] = (
    preset(
        "logistic-regression",
        "Logistic regression on breast cancer",
        "an empty list of layers: one sigmoid unit reaches about 97 % on dev, and train and dev stay together",
        data={"train": "breast_cancer", "target": "label"},
        optimizer={"type": "gradient_descent", "learning_rate": 0.1},
        training={"epochs": 200, "batch_size": 64},
    ),
    preset(
        "initialization-zeros",
        "Weights that start at zero",
        "train_cost stays at log 2 = 0.6931 and the job warns of symmetric units: every unit of a layer stays alike",
        **circles(initializer={"type": "zeros"}),
    ),
    preset(
        "initialization-large",
        "Weights that start far too large",
        "the cost of the first epochs against that of initialization-he: confident mistakes are expensive",
        **circles(
            initializer={"type": "normal", "std": 10.0}, optimizer={"type": "gradient_descent", "learning_rate": 0.01}
        ),
    ),
    preset(
        "initialization-he",
        "He initialization",
        "the same network and data as initialization-zeros, and the rings are told apart",
        **circles(initializer={"type": "he"}),
    ),
    preset(
        "regularization-none",
        "A large network on little data",
        "the gap between train_error and dev_error in the result, and the diagnosis: high variance",
        **overfit(),
    ),
    preset(
        "regularization-l2",
        "The same with L2",
        "train_error rises a little, dev_error falls against regularization-none; train_cost includes the penalty",
        **overfit(regularization={"l2": 1.0}),
    ),
    preset(
        "regularization-dropout",
        "The same with dropout",
        "train_cost is noisy, since every step trains another network: look at the smoothed curve",
        **overfit(keep_prob=0.7),
    ),
    preset(
        "optimizer-gradient-descent",
        "Gradient descent on the moons",
        "how far dev_cost has come after 500 epochs; compare with optimizer-momentum and optimizer-adam",
        **moons(optimizer={"type": "gradient_descent", "learning_rate": 0.005}),
    ),
    preset(
        "optimizer-momentum",
        "Momentum on the moons",
        "hardly ahead of gradient descent: with so small a learning rate there is little to smooth",
        **moons(optimizer={"type": "momentum", "learning_rate": 0.005}),
    ),
    preset(
        "optimizer-adam",
        "Adam on the moons",
        "the same learning rate and epochs, and the moons are told apart",
        **moons(optimizer={"type": "adam", "learning_rate": 0.005}),
    ),
    preset(
        "learning-rate-decay",
        "Learning-rate decay on the moons",
        "learning_rate in the metrics falls in stairs, and the cost's jitter with it",
        **moons(
            optimizer={"type": "gradient_descent", "learning_rate": 0.5},
            schedule={"type": "inverse_time", "decay": 1.0, "interval": 100},
        ),
    ),
    preset(
        "batch-norm-digits",
        "Batch norm on handwritten digits",
        "how few epochs it takes to pass 95 % on dev, and gamma and beta among the gradient check's tensors",
        data={"train": "digits", "target": "label"},
        layers=[
            {"type": "dense", "units": 64},
            {"type": "batch_norm"},
            {"type": "relu"},
            {"type": "dense", "units": 32},
            {"type": "batch_norm"},
            {"type": "relu"},
        ],
        optimizer={"type": "adam", "learning_rate": 0.003},
        training={"epochs": 20, "batch_size": 64},
        checks={"gradients": ["start", "end"]},
    ),
)
"""In the order a course would show them."""
