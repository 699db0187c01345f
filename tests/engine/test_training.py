"""The training loop: every example once an epoch, honest costs, and it ends when it should."""

import sys
import tracemalloc
from math import log

import numpy as np
import pytest
from sklearn.metrics import log_loss

from engine import Diverged, EpochEnded, Finished, GradientsChecked, RandomStreams, SpecError, Started, Stop, train
from engine.events import Event
from engine.inputs import Batch
from engine.layers import AnyLayer
from engine.optimizers import AnyOptimizer
from engine.training import Run
from tests.engine.families import members, name, plain
from tests.engine.jobs import KINDS, events_of, finished, prepared, rows_of, spec_of, toy

ALL_LAYERS = [
    layer for member in members(AnyLayer) for layer in ({"type": "dense", "units": 16}, plain(member).model_dump())
]


def run_of(m: int = 60, inputs: int = 4, **fields: object) -> Run:
    spec = spec_of(**fields)
    network, data = prepared(spec, toy(m=m, inputs=inputs))
    return Run(network, spec, data, None, None, RandomStreams(spec.seed))


def rows_seen(run: Run, epoch: int) -> list[np.ndarray]:
    return [np.arange(60)[rows] for portion in run.portions(epoch) for rows, *_ in portion.batches(run.batch_size)]


class TestBatches:
    @pytest.mark.parametrize("batch_size", [1, 7, 30, 59, 60, 64, "full"])
    def test_cover_every_example_once_an_epoch_and_keep_the_last_short_one(self, batch_size: int | str) -> None:
        run = run_of(training={"batch_size": batch_size})
        for epoch in (1, 2):
            batches = rows_seen(run, epoch)
            np.testing.assert_array_equal(np.sort(np.concatenate(batches)), np.arange(60))
            size = 60 if batch_size == "full" else min(batch_size, 60)
            assert [len(batch) for batch in batches[:-1]] == [size] * (len(batches) - 1)
            assert len(batches[-1]) == 60 % size or size
            assert len(batches) == run.steps_per_epoch

    def test_come_in_a_new_order_every_epoch(self) -> None:
        run = run_of(training={"batch_size": 7})
        first, second = (np.concatenate(rows_seen(run, epoch)) for epoch in (1, 2))
        assert (first != second).any() and (first != np.arange(60)).any()

    def test_keep_the_order_of_the_data_without_shuffling(self) -> None:
        run = run_of(training={"batch_size": 7, "shuffle": False})
        np.testing.assert_array_equal(np.concatenate(rows_seen(run, 3)), np.arange(60))

    def test_of_one_example_are_refused_where_batch_norm_would_meet_them(self) -> None:
        with pytest.raises(SpecError, match="batch of one") as refused:
            run_of(layers=[{"type": "batch_norm"}], training={"batch_size": 59})
        assert refused.value.pointer == "/training/batch_size"


class TestCost:
    def test_of_the_first_epoch_is_that_of_chance_from_zero_weights(self) -> None:
        """Before its update a full batch knows nothing, whatever the learning rate does afterwards: log 2."""
        row = rows_of(events_of(spec_of(
            initializer={"type": "zeros"}, precision="float64",
            optimizer={"type": "gradient_descent", "learning_rate": 5},
            training={"epochs": 1, "batch_size": "full"},
        )))[0]  # fmt: skip
        assert row["train_cost"] == pytest.approx(log(2), rel=1e-12)

    @pytest.mark.parametrize("batch_size", [1, 7, 60])
    def test_is_the_mean_over_the_examples_of_batches_of_any_size(self, batch_size: int) -> None:
        """Where nothing moves, the batches' costs add up to the log loss of the whole set, as scikit-learn has it."""
        spec = spec_of(
            precision="float64",
            optimizer={"type": "gradient_descent", "learning_rate": 1e-14},
            training={"epochs": 1, "batch_size": batch_size},
        )
        events = events_of(spec)
        _, data = prepared(spec, toy())
        p = finished(events).model.answers(data.x["train"])
        assert rows_of(events)[0]["train_cost"] == pytest.approx(log_loss(data.y["train"], p), rel=1e-9)

    def test_holds_the_penalty_and_the_dev_cost_does_not(self) -> None:
        still = {"optimizer": {"type": "gradient_descent", "learning_rate": 1e-14}, "precision": "float64"}
        once = {"training": {"epochs": 1, "batch_size": "full"}}
        events = events_of(spec_of(**still, **once))
        W = finished(events).model.parameters.named()
        penalty = 0.7 / (2 * 60) * sum(np.sum(W[name] ** 2) for name in ("W1", "W2"))
        free = rows_of(events)[0]
        penalized = rows_of(events_of(spec_of(**still, **once, regularization={"l2": 0.7})))[0]
        assert penalized["train_cost"] - free["train_cost"] == pytest.approx(penalty, rel=1e-9)
        assert penalized["dev_cost"] == pytest.approx(free["dev_cost"], rel=1e-12)

    def test_falls(self) -> None:
        rows = rows_of(events_of(spec_of(optimizer={"type": "adam", "learning_rate": 0.02}, training={"epochs": 30})))
        assert rows[-1]["train_cost"] < 0.7 * rows[0]["train_cost"]


class TestEvents:
    def test_come_in_order_with_one_row_an_epoch(self) -> None:
        spec = spec_of(checks={"gradients": ["start", 2, "end"]}, training={"epochs": 3, "batch_size": 32})
        told = {"started", "gradients_checked", "epoch_ended", "finished"}
        kinds = [event.type for event in events_of(spec) if event.type in told]
        assert kinds == [
            "started", "gradients_checked", "epoch_ended", "epoch_ended", "gradients_checked", "epoch_ended",
            "gradients_checked", "finished",
        ]  # fmt: skip

    def test_say_what_starts_and_where_each_row_stands(self) -> None:
        events = events_of(spec_of(training={"epochs": 3, "batch_size": 32}))
        started = events[0]
        assert started == Started(
            parameters=4 * 5 + 5 + 5 + 1, sizes={"train": 60, "dev": 30, "test": 30}, steps_per_epoch=2, epochs=3
        )
        assert [(row["epoch"], row["step"]) for row in rows_of(events)] == [(1, 2), (2, 4), (3, 6)]

    def test_hold_the_gradient_reports_with_their_moments(self) -> None:
        events = events_of(spec_of(checks={"gradients": ["start", 1, "end"]}, training={"epochs": 1}))
        assert [e.report.at for e in events if isinstance(e, GradientsChecked)] == ["start", 1, "end"]

    @pytest.mark.parametrize("kind", KINDS)
    def test_carry_finite_numbers_only(self, kind: str) -> None:
        events = events_of(spec_of(training={"epochs": 2}), toy(kind))
        assert all(np.isfinite(list(row.values())).all() for row in rows_of(events))
        assert {"train", "dev", "test", "weights_sha256", "stop_reason", "epoch"} <= set(finished(events).result)


def steered(answer_to: int, **fields: object) -> list[Event]:
    """A run that is told to stop at the row of an epoch."""
    spec = spec_of(**fields)
    network, data = prepared(spec, toy())
    run = train(network, spec, data)
    events = [next(run)]
    for _ in range(1000):
        event = events[-1]
        if isinstance(event, Finished):
            return events
        told = isinstance(event, EpochEnded) and event.row["epoch"] == answer_to
        events.append(run.send(Stop("cancelled") if told else None))
    raise AssertionError("the run does not end")


def test_stop_ends_the_run_with_its_reason_and_keeps_the_model() -> None:
    events = steered(2, training={"epochs": 50, "keep": "last"})
    assert len(rows_of(events)) == 2
    assert finished(events).stop_reason == finished(events).result["stop_reason"] == "cancelled"
    two = finished(events_of(spec_of(training={"epochs": 2, "keep": "last"})))
    assert finished(events).model.weights_sha256 == two.model.weights_sha256


@pytest.mark.parametrize("optimizer", [plain(m, learning_rate=10) for m in members(AnyOptimizer)], ids=name)
def test_a_huge_learning_rate_is_said_to_diverge(optimizer: object) -> None:
    """A deep linear network on squares: every optimizer that takes steps of ten explodes there."""
    spec = spec_of(
        layers=[{"type": "dense", "units": 50}] * 12,
        optimizer=optimizer,
        initializer={"type": "normal", "std": 10},
        training={"epochs": 60, "batch_size": 8},
    )
    with pytest.raises(Diverged) as diverged:
        events_of(spec, toy("value"))
    assert diverged.value.epoch >= 1 and diverged.value.step >= 1
    assert "learning_rate" in str(diverged.value)


@pytest.mark.parametrize("optimizer", [plain(member) for member in members(AnyOptimizer)], ids=name)
def test_clipping_keeps_the_gradient_small(optimizer: object) -> None:
    run = run_of(training={"clip_norm": 1e-3, "clip_value": 1e-4, "batch_size": "full"}, precision="float64",
                 optimizer=optimizer)  # fmt: skip
    run.descent.step(Batch(slice(0, 60)), 0.1, 1)
    assert np.linalg.norm(run.descent.gradient.vector) <= 1e-3 + 1e-15
    assert np.abs(run.descent.gradient.vector).max() <= 1e-4


def peak_growth_of_a_step(precision: str, m: int, units: int, **fields: object) -> int:
    """Bytes above the resting level that some steps reach, their buffers made beforehand."""
    layers = [layer | ({"units": units} if "units" in layer else {}) for layer in ALL_LAYERS]
    run = run_of(m=4 * m, layers=layers, precision=precision, training={"batch_size": m, "clip_norm": 1.0},
                 regularization={"l2": 0.1, "l1": 0.1}, **fields)  # fmt: skip
    order = np.random.default_rng(0).permutation(4 * m)
    portions = [Batch(order[start : start + m]) for start in range(0, 4 * m, m)]

    def steps(count: int) -> None:
        for index in range(count):
            run.step += 1
            run.descent.step(portions[index % 4], 1e-4, run.step)

    def growth() -> int:
        tracemalloc.reset_peak()
        resting, _ = tracemalloc.get_traced_memory()
        steps(8)
        return tracemalloc.get_traced_memory()[1] - resting

    tracemalloc.start()
    try:
        steps(4)
        return min(
            growth() for _ in range(3)
        )  # other threads of this process may allocate; what a step takes, all have
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", [plain(member) for member in members(AnyOptimizer)], ids=name)
def test_a_step_allocates_no_array_whatever_the_batch_and_the_width(precision: str, optimizer: object) -> None:
    """NumPy's casting buffers, 8192 numbers an operand however large the arrays, are all that comes and goes."""
    one_column = 768 * np.dtype(precision).itemsize
    small = large = sys.maxsize
    for _ in range(5):  # on a busy machine other threads may allocate in every growth of one measurement
        small = min(small, peak_growth_of_a_step(precision, 256, 64, optimizer=optimizer))
        large = min(large, peak_growth_of_a_step(precision, 768, 64, optimizer=optimizer))
        if large <= small + one_column:
            break
    assert large <= small + one_column
    assert large < 2.5 * 8192 * 8
