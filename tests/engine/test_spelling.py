"""Only a slip of the hand is taken for one."""

import pytest

from engine.spelling import nearest


@pytest.mark.parametrize(
    ("written", "known", "meant"),
    [
        ("binary_crossentropy", ["softmax_cross_entropy", "sigmoid_cross_entropy"], None),
        ("mnist", ["moons", "digits"], None),
        ("dataset", ["target", "train"], None),
        ("l3", ["l1", "l2"], None),
        ("LeakyReLU", ["relu", "elu", "leaky_relu"], "leaky_relu"),
        ("batch-size", ["batch_size"], "batch_size"),
        ("irsi", ["iris", "wine"], "iris"),
        ("lable", ["label"], "label"),
        ("xx", ["x"], "x"),
        ("softmax", ["sigmoid_cross_entropy", "softmax_cross_entropy"], "softmax_cross_entropy"),
        ("gelu", ["elu", "relu", "gelu"], "gelu"),
        ("?", ["%"], None),
        ("", ["a"], None),
    ],
)
def test_only_a_slip_of_the_hand_is_taken_for_one(written: str, known: list[str], meant: str | None) -> None:
    assert nearest(written, known) == meant
