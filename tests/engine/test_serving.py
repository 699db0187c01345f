"""The decision threshold, against probabilities that are known."""

import numpy as np
import pytest

from engine.serving import chosen_classes, chosen_labels, refusal_of_threshold

TWO = np.array([[0.81, 0.19], [0.7, 0.3], [0.5, 0.5], [0.2, 0.8]], np.float32)


@pytest.mark.parametrize(
    ("threshold", "chosen"),
    [(None, [0, 0, 0, 1]), (0.5, [0, 0, 1, 1]), (0.2, [0, 1, 1, 1]), (0.0, [1, 1, 1, 1]), (0.9, [0, 0, 0, 0])],
)
def test_the_second_of_two_classes_is_chosen_from_the_threshold_on(threshold: float | None, chosen: list[int]) -> None:
    assert chosen_classes(TWO, threshold).tolist() == chosen


def test_a_probability_is_compared_as_it_is_answered() -> None:
    """0.7 as float32 is answered as 0.699999988079071, which is less than 0.7."""
    assert chosen_classes(np.array([[0.3, 0.7]], np.float32), 0.7).tolist() == [0]
    assert chosen_classes(np.array([[0.3, 0.7]], np.float32), 0.6999).tolist() == [1]


def test_several_labels_are_each_chosen_from_the_threshold_on() -> None:
    probabilities = np.array([[0.1, 0.5, 0.6]])
    assert chosen_labels(probabilities, None).tolist() == [[False, False, True]]
    assert chosen_labels(probabilities, 0.5).tolist() == [[False, True, True]]
    assert chosen_labels(probabilities, 0.05).tolist() == [[True, True, True]]


def test_only_two_classes_or_several_labels_are_decided_by_a_threshold() -> None:
    assert refusal_of_threshold("classes", 2) is None
    assert refusal_of_threshold("multilabel", 3) is None
    assert "tells 3 apart" in (refusal_of_threshold("classes", 3) or "")
    assert "predicts values" in (refusal_of_threshold("values", 0) or "")
