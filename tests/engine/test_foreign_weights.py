"""Weights under PyTorch's and Keras's names answer here what they answer there, by a forward in their own terms."""

from pathlib import Path

import numpy as np
import pytest

from engine import DataError, Network, ShapeMismatch
from engine.export import write_npz
from engine.foreign_weights import as_own
from engine.losses import MeanSquaredError
from engine.network import Target
from engine.regularization import Regularization
from engine.spec import JobSpec
from tests.engine.export.mixed import mixed_model

Tensors = dict[str, np.ndarray]
GENERATOR = np.random.default_rng(7)
X = GENERATOR.standard_normal((9, 4))
EPSILON = 1e-5


def drawn(*shape: int) -> np.ndarray:
    return GENERATOR.standard_normal(shape)


def state_dict(prefix: str = "") -> Tensors:
    """Sequential(Linear(4, 5), BatchNorm1d(5), ReLU(), Linear(5, 3), Tanh(), BatchNorm1d(3), Linear(3, 2))."""
    named = {
        "0.weight": drawn(5, 4), "0.bias": drawn(5),
        "1.weight": drawn(5), "1.bias": drawn(5), "1.running_mean": drawn(5), "1.running_var": drawn(5) ** 2,
        "1.num_batches_tracked": np.array(12.0),
        "3.weight": drawn(3, 5), "3.bias": drawn(3),
        "5.weight": drawn(3), "5.bias": drawn(3), "5.running_mean": drawn(3), "5.running_var": drawn(3) ** 2,
        "5.num_batches_tracked": np.array(12.0),
        "6.weight": drawn(2, 3), "6.bias": drawn(2),
    }  # fmt: skip
    return {prefix + name: tensor for name, tensor in named.items()}


def torch_forward(s: Tensors) -> np.ndarray:
    def linear(a: np.ndarray, i: int) -> np.ndarray:
        return a @ s[f"{i}.weight"].T + s[f"{i}.bias"]

    def batch_norm(a: np.ndarray, i: int) -> np.ndarray:
        normal = (a - s[f"{i}.running_mean"]) / np.sqrt(s[f"{i}.running_var"] + EPSILON)
        return normal * s[f"{i}.weight"] + s[f"{i}.bias"]

    a = np.maximum(batch_norm(linear(X, 0), 1), 0)
    return linear(batch_norm(np.tanh(linear(a, 3)), 5), 6)


LAYERS = [
    {"type": "dense", "units": 5}, {"type": "batch_norm"}, {"type": "relu"},
    {"type": "dense", "units": 3}, {"type": "tanh"}, {"type": "batch_norm"},
]  # fmt: skip


def network(layers: list[dict[str, object]] = LAYERS) -> Network:
    spec = JobSpec.model_validate({"data": {"train": "x", "target": "y"}, "layers": layers})
    return Network(spec.layers, MeanSquaredError(), Regularization(), 4, Target("values", 2))


def answers(tensors: Tensors, net: Network) -> np.ndarray:
    parameters = net.parameters()
    parameters.load(tensors)
    return net.predict(X, parameters)


@pytest.mark.parametrize("prefix", ["", "net.", "model.layers."])
def test_a_pytorch_sequential_answers_the_same(prefix: str) -> None:
    state = state_dict()
    found = as_own({prefix + name: tensor for name, tensor in state.items()})
    assert found["W1"].shape == (4, 5) and found["batches2"].shape == (1,)
    np.testing.assert_allclose(answers(found, network()), torch_forward(state), rtol=1e-12)


def test_a_keras_model_answers_the_same_by_names_and_by_order() -> None:
    kernels, biases = [drawn(4, 5), drawn(5, 3), drawn(3, 2)], [drawn(5), drawn(3), drawn(2)]
    norms = [[drawn(n), drawn(n), drawn(n), drawn(n) ** 2] for n in (5, 3)]  # gamma, beta, mean, variance

    def batch_norm(a: np.ndarray, four: list[np.ndarray]) -> np.ndarray:
        gamma, beta, mean, variance = four
        return gamma * (a - mean) / np.sqrt(variance + EPSILON) + beta

    a = np.maximum(batch_norm(X @ kernels[0] + biases[0], norms[0]), 0)
    expected = batch_norm(np.tanh(a @ kernels[1] + biases[1]), norms[1]) @ kernels[2] + biases[2]
    named: Tensors = {}
    for number in (2, 0, 1):  # the order in a file says nothing where names have numbers
        suffix = f"_{number + 3}"  # as a second model in one session is numbered
        named |= {
            f"sequential/dense{suffix}/kernel:0": kernels[number],
            f"sequential/dense{suffix}/bias:0": biases[number],
        }
        if number < 2:
            letters = ("gamma", "beta", "moving_mean", "moving_variance")
            named |= {f"batch_normalization{suffix}/{a}": v for a, v in zip(letters, norms[number], strict=True)}
    listed = [kernels[0], biases[0], *norms[0], kernels[1], biases[1], *norms[1], kernels[2], biases[2]]
    ordered = {f"arr_{place}": tensor for place, tensor in enumerate(listed)}
    for tensors in (named, ordered):
        np.testing.assert_allclose(answers(as_own(tensors), network()), expected, rtol=1e-12)


def test_a_bias_that_batch_norm_replaces_may_come_without_averages() -> None:
    net = network([{"type": "dense", "units": 3}, {"type": "batch_norm"}])
    tensors = {
        "W1": drawn(4, 3),
        "b1": drawn(3),
        "gamma1": drawn(3),
        "beta1": drawn(3),
        "W2": drawn(3, 2),
        "b2": drawn(2),
    }
    without = {name: tensor for name, tensor in tensors.items() if name != "b1"}
    np.testing.assert_array_equal(answers(tensors, net), answers(without, net))
    with pytest.raises(ShapeMismatch, match=r"b1 has shape \(4,\)"):
        answers({**tensors, "b1": drawn(4)}, net)


def test_an_exported_archive_comes_back_as_parameters(tmp_path: Path) -> None:
    model = mixed_model()
    write_npz(model, tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    found = as_own(arrays)
    assert found.keys() == model.parameters.named().keys()
    for name, array in model.parameters.named().items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        ({"weights": drawn(2, 2)}, "weights"),
        ({"0.weight": drawn(2, 2), "0.in_proj": drawn(2)}, "0.in_proj"),
        ({"0.weight": drawn(4, 3, 3, 3)}, "4 axes"),
        ({"1.weight": drawn(3), "1.bias": drawn(3)}, "1 axes"),
        ({"a.0.weight": drawn(2, 2), "b.0.weight": drawn(2, 2)}, "'a.' and 'b.'"),
        ({"1.running_mean": drawn(3), "1.running_var": drawn(3)}, "lacks weight, bias"),
        ({"hidden/kernel": drawn(2, 2), "out/kernel": drawn(2, 2)}, "hidden, out"),
        ({"dense/bias": drawn(2)}, "no kernel"),
        ({"arr_0": drawn(2, 2), "arr_1": drawn(2), "arr_2": drawn(2)}, "2 vectors follow dense layer 1"),
        ({"dense/kernel": drawn(2, 2), "batch_normalization/gamma": drawn(2)}, "1 batch norms"),
    ],
)  # fmt: skip
def test_names_without_a_place_are_refused(tensors: Tensors, says: str) -> None:
    with pytest.raises(DataError, match=says.replace("(", r"\(")):
        as_own(tensors)
