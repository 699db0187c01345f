"""Label smoothing moves every kind of target the same way: y(1 − ε) + ε/C."""

import numpy as np
import pytest

from engine.losses import SigmoidCrossEntropy, SoftmaxCrossEntropy
from tests.engine.jobs import events_of, finished, spec_of, toy

FAST = {"type": "adam", "learning_rate": 0.05}


def test_the_tables_of_the_classes_are_the_formula() -> None:
    assert SoftmaxCrossEntropy(label_smoothing=0.3).targets(3) == pytest.approx(np.eye(3) * 0.7 + 0.1)
    assert SigmoidCrossEntropy(label_smoothing=0.2).targets(2).ravel() == pytest.approx([0.1, 0.9])


def test_yes_no_labels_are_smoothed_in_training_and_judged_as_they_are() -> None:
    def run(smoothing: float) -> dict[str, object]:
        loss = {"type": "sigmoid_cross_entropy", "label_smoothing": smoothing}
        return finished(events_of(spec_of(loss=loss, optimizer=FAST, training={"epochs": 60}), toy("labels"))).result

    plain, smooth = run(0.0), run(0.4)
    assert plain["weights_sha256"] != smooth["weights_sha256"]
    entropy = -0.2 * np.log(0.2) - 0.8 * np.log(0.8)  # of one label's smoothed target: no cost can fall below it
    assert smooth["train"]["cost"] > 3 * entropy
    assert smooth["train"]["error"] < 0.3  # judged by the labels as they were given
