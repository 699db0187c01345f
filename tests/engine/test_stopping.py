"""Early stopping and the kept model, judged by a second reading of the same curve."""

import numpy as np
import pytest

from engine import (
    EpochEnded,
    Event,
    Finished,
    GradientsChecked,
    LayersMeasured,
    SpecError,
    Started,
    Stop,
    Warned,
    train,
)
from tests.engine.jobs import events_of, finished, prepared, rows_of, spec_of, toy

NOISY = {
    "layers": [{"type": "dense", "units": 30}, {"type": "relu"}],
    "optimizer": {"type": "adam", "learning_rate": 0.05},
    "precision": "float64",
}
EPOCHS = 40


def curve(metric: str, **fields: object) -> list[float]:
    """The metric of every epoch of a run that nothing stops."""
    never = {"metric": metric, "patience": 1000}
    spec = spec_of(**NOISY, training={"epochs": EPOCHS, "early_stopping": never}, **fields)
    return [row[metric] for row in rows_of(events_of(spec))]


def last_epoch(values: list[float], patience: int, min_delta: float) -> int:
    """When a textbook's early stopping ends: so many epochs after the last improvement by more than min_delta."""
    best, best_epoch = np.inf, 0
    for epoch, value in enumerate(values, 1):
        if value < best - min_delta:
            best, best_epoch = value, epoch
        if epoch - best_epoch >= patience:
            return epoch
    return len(values)


@pytest.mark.parametrize("patience", [1, 3, 10])
@pytest.mark.parametrize("min_delta", [0.0, 0.01, 0.3])
def test_a_run_ends_when_its_patience_is_over(patience: int, min_delta: float) -> None:
    stopping = {"metric": "dev_cost", "patience": patience, "min_delta": min_delta}
    events = events_of(spec_of(**NOISY, training={"epochs": EPOCHS, "early_stopping": stopping}))
    expected = last_epoch(curve("dev_cost"), patience, min_delta)
    assert len(rows_of(events)) == expected < EPOCHS
    assert finished(events).stop_reason == "early_stopping"


@pytest.mark.parametrize("metric", ["dev_accuracy", "dev_f1", "dev_auc"])
def test_a_metric_that_improves_by_rising_is_awaited_to_rise(metric: str) -> None:
    stopping = {"metric": metric, "patience": 4}
    events = events_of(spec_of(**NOISY, training={"epochs": EPOCHS, "early_stopping": stopping}))
    falling = [-value for value in curve(metric)]
    assert len(rows_of(events)) == last_epoch(falling, 4, 0)
    assert finished(events).result["epoch"] == int(np.argmin(falling[: last_epoch(falling, 4, 0)])) + 1


def test_the_kept_model_is_the_best_on_dev_however_the_run_ends() -> None:
    """The same as a run that ends right there and keeps the last."""
    best = int(np.argmin(curve("dev_cost"))) + 1
    assert best < EPOCHS
    kept = finished(events_of(spec_of(**NOISY, training={"epochs": EPOCHS})))
    there = finished(events_of(spec_of(**NOISY, training={"epochs": best, "keep": "last"})))
    assert kept.result["epoch"] == best and kept.result["kept"] == "best"
    assert kept.model.weights_sha256 == there.model.weights_sha256
    assert kept.result["dev"] == there.result["dev"]


def test_the_last_model_is_kept_where_it_is_wanted() -> None:
    best, last = (
        finished(events_of(spec_of(**NOISY, training={"epochs": EPOCHS, "keep": keep}))) for keep in ("best", "last")
    )
    assert last.result["epoch"] == EPOCHS
    assert best.model.weights_sha256 != last.model.weights_sha256


def test_a_run_that_goes_on_improving_is_left_alone() -> None:
    stopping = {"metric": "dev_cost", "patience": 2}
    slow = {"type": "gradient_descent", "learning_rate": 1e-3}
    events = events_of(spec_of(optimizer=slow, training={"epochs": 15, "early_stopping": stopping}), toy(m=200, seed=1))
    assert finished(events).stop_reason == "completed"


@pytest.mark.parametrize("metric", ["dev_rmse", "dev_nonsense"])
def test_a_metric_that_the_task_does_not_have_is_refused(metric: str) -> None:
    with pytest.raises(SpecError, match=metric) as refused:
        events_of(spec_of(training={"early_stopping": {"metric": metric}}))
    assert refused.value.pointer == "/training/early_stopping/metric"


@pytest.mark.parametrize("told", [Started, GradientsChecked, EpochEnded, LayersMeasured, Warned])
def test_stop_is_heard_whatever_event_it_answers(told: type[Event]) -> None:
    """The first event of a kind is answered; nothing is trained after it, and the model so far is kept."""
    spec = spec_of(
        layers=[{"type": "dense", "units": 8}, {"type": "tanh"}],
        initializer={"type": "zeros"},  # which is warned of in the first epoch
        checks={"gradients": ["start"]},
        training={"epochs": 5},
    )
    network, data = prepared(spec, toy())
    run, answer, seen = train(network, spec, data), None, []
    while not seen or not isinstance(seen[-1], Finished):
        seen.append(run.send(answer))
        answer = Stop("enough") if isinstance(seen[-1], told) else None
    assert seen[-1].stop_reason == "enough"
    assert len(rows_of(seen)) == (0 if told in (Started, GradientsChecked) else 1)
