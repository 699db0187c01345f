"""The 43 node cases of the ONNX backend's own tests, each put to the part of the engine that does the same."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.activations import ELU, LeakyReLU, ReLU, Sigmoid, Tanh
from engine.layer import Layer, Mode, Pass
from engine.layers import BatchNorm, Dense, Dropout
from engine.losses import SoftmaxCrossEntropy
from engine.network import Network, Target
from engine.optimizers import Adam, Momentum, Optimizer
from engine.parameters import Array, Arrays
from engine.random_streams import RandomStreams
from engine.regularization import Regularization
from tests.acceptance.published import SHARED_DATA
from tests.engine.problems import passed_through
from tests.engine.steps import Steps

pytestmark = pytest.mark.shared_data


@dataclass(frozen=True)
class Case:
    """One node: its inputs and outputs, in float64, and its attributes."""

    inputs: list[NDArray[Any]]
    outputs: list[NDArray[Any]]
    attributes: dict[str, Any] = field(default_factory=dict)


@cache
def cases() -> dict[str, Case]:
    with np.load(SHARED_DATA / "vectors" / "onnx_node_cases.npz") as arrays:
        found: dict[str, Case] = {}
        for name, meta in json.loads(str(arrays["meta_json"]))["cases"].items():
            inputs, outputs = (
                [as_float64(arrays[f"{name}/{side}{i}"]) for i in range(50) if f"{name}/{side}{i}" in arrays]
                for side in ("in", "out")
            )
            found[name] = Case(inputs, outputs, meta["attributes"])
    return found


def as_float64(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.float64) if array.dtype == np.float32 else array


def same(ours: NDArray[Any], theirs: NDArray[Any]) -> None:
    """Theirs are computed in float32."""
    np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)


def rows(array: NDArray[Any], axis: int) -> NDArray[Any]:
    """The axis as columns, all others as rows."""
    return np.ascontiguousarray(np.moveaxis(array, axis, -1).reshape(-1, array.shape[axis]))


def unrows(table: Array, like: NDArray[Any], axis: int) -> NDArray[Any]:
    moved = np.moveaxis(like, axis, -1)
    return np.moveaxis(table.reshape(moved.shape), -1, axis)


def gemm(case: Case) -> None:
    """α·A'B' + β·C: a dense layer whose weights are α·B' and whose bias is β·C."""
    how = case.attributes
    A, B = (x.T if how.get(t) else x for x, t in zip(case.inputs, ("transA", "transB"), strict=False))
    bias = len(case.inputs) == 3
    layer = Dense(units=B.shape[1], bias=bias)
    p = Arrays(W=how.get("alpha", 1.0) * B)
    if bias:
        p.b = how.get("beta", 1.0) * case.inputs[2].reshape(-1)
    network = Network((layer,), SoftmaxCrossEntropy(), Regularization(), A.shape[1], Target("classes", 2))
    c = network.workspace(len(A), np.float64).layers[0]
    same(layer.forward(A, p, c, Pass(Mode.PREDICT)), case.outputs[0])


def batch_norm(case: Case) -> None:
    """Images are normalized by channel: every pixel is an example.

    Their running averages are a·old + (1 − a)·batch from whatever they began with; ours are corrected for how
    they began, so that after one batch they are the batch's own, biased statistics.
    """
    x, gamma, beta, mean, variance = case.inputs
    layer = BatchNorm(epsilon=case.attributes.get("epsilon", 1e-5))
    Z = rows(x, 1)
    network = Network((layer,), SoftmaxCrossEntropy(), Regularization(), Z.shape[1], Target("classes", 2))
    parameters, workspace = network.parameters(np.float64), network.workspace(len(Z), np.float64)
    p = parameters.layers[0]
    p.gamma[:], p.beta[:] = gamma, beta
    training = case.attributes.get("training_mode")
    if not training:
        p.mean[:], p.variance[:] = mean, variance
    Y = layer.forward(Z, p, workspace.layers[0], Pass(Mode.TRAIN if training else Mode.PREDICT))
    same(unrows(Y, x, 1), case.outputs[0])
    if training:
        same(0.9 * mean + 0.1 * p.mean, case.outputs[1])
        same(0.9 * variance + 0.1 * p.variance, case.outputs[2])


def probabilities(case: Case) -> NDArray[Any]:
    x, axis = case.inputs[0], case.attributes.get("axis", -1)
    return unrows(SoftmaxCrossEntropy().output(rows(x, axis)), x, axis)


def softmax(case: Case) -> None:
    same(probabilities(case), case.outputs[0])


def log_softmax(case: Case) -> None:
    same(np.log(probabilities(case)), case.outputs[0])


def cross_entropy(case: Case) -> None:
    """Ours divides by the number of examples; a weighted mean there divides by the sum of their weights."""
    Z, y = case.inputs[:2]
    loss, (m, classes) = SoftmaxCrossEntropy(), Z.shape
    Y = loss.targets(classes)[y]
    w = None
    if len(case.inputs) == 3:
        each = case.inputs[2][y]
        w = (each * m / each.sum())[:, None]

    def mean(rows: slice) -> float:
        count = len(Z[rows])
        c = Arrays(**{letter: np.zeros(shape) for letter, shape in loss.buffers(count, classes).items()})
        return loss.forward(Z[rows], Y[rows], None if w is None else w[rows], c)

    reduction = case.attributes["reduction"]
    if reduction == "none":
        same(np.array([mean(slice(i, i + 1)) for i in range(m)]), case.outputs[0])
    else:
        same(np.array(mean(slice(None)) * (m if reduction == "sum" else 1)), case.outputs[0])
    if len(case.outputs) == 2:
        same(np.log(loss.output(Z.copy())), case.outputs[1])


class Kept(RandomStreams):
    """Draws that keep what a mask keeps."""

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        super().__init__(0)
        self.mask = mask

    def uniform(self, layer: int, step: int, out: Array) -> None:
        out[...] = np.where(self.mask, 0.0, np.nextafter(1.0, 0.0))


def dropout(case: Case) -> None:
    """Their ratio is what goes, ours what stays; where the mask is not an output, it shows in the zeros of y."""
    x, y = case.inputs[0], case.outputs[0]
    training = len(case.inputs) == 3
    mask = case.outputs[1] if len(case.outputs) == 2 else y != 0
    layer = Dropout(keep_prob=1 - float(case.inputs[1]) if training else 0.5)
    mode = Mode.TRAIN if training else Mode.PREDICT
    ours = passed_through(layer, rows(x, -1), mode, Kept(rows(mask, -1)))
    same(unrows(ours, x, -1), y)


def stepped(case: Case, optimizer: Optimizer, slots: tuple[str, ...], scale: float = 1.0) -> None:
    """All tensors of the case in one vector; theirs add L2 to the gradient themselves."""
    rate, count = float(case.inputs[0]), int(case.inputs[1])
    groups = 2 + len(slots)
    tensors = len(case.inputs[2:]) // groups
    X, g, *memory = (np.concatenate(case.inputs[2 + tensors * i : 2 + tensors * (i + 1)]) for i in range(groups))
    assert count == 0  # no bias correction there; so late that it has gone here
    steps = Steps(optimizer, X, **dict(zip(slots, memory, strict=True)))
    theta = steps.step(scale * (g + case.attributes["norm_coefficient"] * X), rate, t=10**7)
    expected = [np.concatenate(case.outputs[tensors * i : tensors * (i + 1)]) for i in range(1 + len(slots))]
    same(theta, expected[0])
    for letter, theirs in zip(slots, expected[1:], strict=True):
        same(getattr(steps.slots, letter), theirs)


def adam(case: Case) -> None:
    """ε-hat there, but without bias correction both are the same."""
    how = case.attributes
    optimizer = Adam(beta1=how["alpha"], beta2=how["beta"], epsilon=how["epsilon"])
    stepped(case, optimizer, ("v", "s"))


def momentum(case: Case) -> None:
    how = case.attributes
    nesterov = how["mode"] == "nesterov"
    stepped(case, Momentum(beta=how["alpha"], classic=True, nesterov=nesterov), ("v",))


def activation(layer: Layer) -> Callable[[Case], None]:
    def check(case: Case) -> None:
        x = case.inputs[0]
        same(passed_through(layer, rows(x, -1)).reshape(x.shape), case.outputs[0])

    return check


def one_hot(case: Case) -> None:
    """The table of targets; theirs has two values of its own for off and on, and its classes on axis 1."""
    indices, depth, (off, on) = case.inputs
    table = SoftmaxCrossEntropy().targets(int(depth))
    same(np.moveaxis(off + (on - off) * table[indices.astype(int)], -1, 1), case.outputs[0])


def l1_norm(case: Case) -> None:
    W = case.inputs[0].ravel()
    same(np.array(Regularization(l1=1).cost(W, 1, np.zeros_like(W))), case.outputs[0].squeeze())


def l2_norm(case: Case) -> None:
    """The penalty is half its square."""
    W = case.inputs[0].ravel()
    same(np.sqrt(2 * np.array(Regularization(l2=1).cost(W, 1, np.zeros_like(W)))), case.outputs[0].squeeze())


TWINS: dict[str, Callable[[Case], None]] = {
    "test_gemm_default_zero_bias": gemm,
    "test_gemm_default_no_bias": gemm,
    "test_gemm_default_vector_bias": gemm,
    "test_gemm_transposeB": gemm,
    "test_gemm_alpha": gemm,
    "test_gemm_beta": gemm,
    "test_gemm_all_attributes": gemm,
    "test_batchnorm_example": batch_norm,
    "test_batchnorm_epsilon": batch_norm,
    "test_batchnorm_example_training_mode": batch_norm,
    "test_batchnorm_epsilon_training_mode": batch_norm,
    "test_softmax_example": softmax,
    "test_softmax_large_number": softmax,
    "test_softmax_axis_1": softmax,
    "test_logsoftmax_example_1": log_softmax,
    "test_logsoftmax_large_number": log_softmax,
    "test_sce_mean": cross_entropy,
    "test_sce_mean_log_prob": cross_entropy,
    "test_sce_sum": cross_entropy,
    "test_sce_none": cross_entropy,
    "test_sce_mean_weight": cross_entropy,
    "test_training_dropout": dropout,
    "test_training_dropout_mask": dropout,
    "test_training_dropout_default_mask": dropout,
    "test_training_dropout_zero_ratio_mask": dropout,
    "test_dropout_default_mask": dropout,
    "test_adam": adam,
    "test_adam_multiple": adam,
    "test_momentum": momentum,
    "test_momentum_multiple": momentum,
    "test_nesterov_momentum": momentum,
    "test_relu": activation(ReLU()),
    "test_leakyrelu": activation(LeakyReLU(slope=0.1)),
    "test_leakyrelu_example": activation(LeakyReLU(slope=0.1)),
    "test_sigmoid": activation(Sigmoid()),
    "test_sigmoid_example": activation(Sigmoid()),
    "test_tanh": activation(Tanh()),
    "test_tanh_example": activation(Tanh()),
    "test_elu": activation(ELU(alpha=2.0)),
    "test_elu_example": activation(ELU(alpha=2.0)),
    "test_onehot_with_axis": one_hot,
    "test_reduce_l1_default_axes_keepdims_random": l1_norm,
    "test_reduce_l2_default_axes_keepdims_random": l2_norm,
}


def test_all_forty_three_cases_are_used() -> None:
    assert set(TWINS) == set(cases())
    assert len(TWINS) == 43


@pytest.mark.parametrize("name", TWINS)
def test_a_node_case(name: str) -> None:
    TWINS[name](cases()[name])
