"""A class is weighed by its label, however that is spelled, once."""

import numpy as np
import pytest

from engine.data.encoding.target_column import class_text
from engine.errors import SpecError
from engine.examples import class_weights
from engine.losses import SoftmaxCrossEntropy
from engine.network import Target


def weights_of(classes: tuple[int | str | bool, ...], wanted: dict[str, float]) -> list[float]:
    target = Target("classes", len(classes), tuple(map(class_text, classes)))
    found = class_weights(SoftmaxCrossEntropy(class_weights=wanted), target, np.arange(len(classes)))
    assert found is not None
    return found[:, 0].tolist()  # type: ignore[no-any-return]  # floats, as NumPy's types do not say


@pytest.mark.parametrize(
    ("classes", "wanted", "expected"),
    [
        ((0, 1, 2), {"1": 3.0}, [1, 3, 1]),
        ((0, 1, 2), {"1.0": 3.0, "2": 0.5}, [1, 3, 0.5]),
        ((False, True), {"True": 4.0}, [1, 4]),
        (("no", "yes"), {" yes ": 2.0}, [1, 2]),
    ],
)
def test_labels_are_equal_as_in_every_column(
    classes: tuple[int | str | bool, ...], wanted: dict[str, float], expected: list[float]
) -> None:
    assert weights_of(classes, wanted) == expected


@pytest.mark.parametrize(
    ("classes", "wanted", "says"),
    [
        ((0, 1), {"2": 1.0}, "there is no class '2'; the classes are 0, 1"),
        ((0, 1), {"1": 1.0, "1.0": 2.0}, "'1' and '1.0' are the same class '1'; weigh it once"),
    ],
)
def test_a_class_that_is_not_there_or_twice_is_refused(
    classes: tuple[int, ...], wanted: dict[str, float], says: str
) -> None:
    with pytest.raises(SpecError, match=says) as refused:
        weights_of(classes, wanted)
    assert refused.value.pointer == "/loss/class_weights"
