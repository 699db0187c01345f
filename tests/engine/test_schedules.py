"""Every schedule is the formula that it is named after, by epoch and by step, with and without warm-up."""

import numpy as np
import pytest
from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

from engine.schedules import (
    AnySchedule,
    Constant,
    Cosine,
    Exponential,
    InverseRoot,
    InverseTime,
    Schedule,
    StepDecay,
    Table,
)
from tests.engine.families import each, members, name, type_of
from tests.engine.optax_answers import ANSWERS

ALPHA, END = ANSWERS["rate"], ANSWERS["end"]
T, OPTAX = np.arange(END), {name: np.array(rates) for name, rates in ANSWERS["schedules"].items()}
TWINS: list[tuple[Schedule, np.ndarray]] = [
    (Constant(), OPTAX["constant"]),
    (Exponential(base=0.95), OPTAX["exponential 0.95"]),
    (StepDecay(factor=0.5, every=10), OPTAX["half every 10"]),
    (Cosine(), OPTAX["cosine"]),
    (Cosine(floor=0.03), OPTAX["cosine to a tenth"]),
    (Table(rates=((50, 0.15), (120, 0.015))), OPTAX["half at 50, a tenth at 120"]),
    (InverseTime(decay=0.4), ALPHA / (1 + 0.4 * T)),
    (InverseTime(decay=0.4, interval=25), ALPHA / (1 + 0.4 * (T // 25))),
    (InverseRoot(k=0.8), ALPHA * np.where(T == 0, 1, 0.8 * np.maximum(T, 1) ** -0.5)),
]


@pytest.mark.parametrize(("schedule", "expected"), TWINS, ids=[name(schedule) for schedule, _ in TWINS])
def test_two_hundred_rates_are_those_of_the_formula(schedule: Schedule, expected: np.ndarray) -> None:
    ours = [schedule.rate(ALPHA, epoch, 0, END, 1) for epoch in range(END)]
    np.testing.assert_allclose(ours, expected, rtol=1e-9)


def test_every_schedule_has_a_twin() -> None:
    assert {type_of(schedule) for schedule, _ in TWINS} == {type_of(m) for m in members(AnySchedule)}


def test_the_inverse_root_is_scikit_learns_inverse_scaling() -> None:
    theirs, ours = SGDOptimizer([], learning_rate_init=ALPHA, lr_schedule="invscaling"), InverseRoot()
    for t in range(1, END):
        theirs.iteration_ends(t - 1)
        assert ours.rate(ALPHA, t, 0, END, 1) == pytest.approx(theirs.learning_rate)


@pytest.mark.parametrize("schedule", each(AnySchedule), ids=name)
def test_by_step_time_runs_on_through_the_epochs(schedule: Schedule) -> None:
    by_step = schedule.model_copy(update={"per": "step"})
    rates = [by_step.rate(ALPHA, step // 4, step, 10, 4) for step in range(40)]
    assert rates == [schedule.rate(ALPHA, t, 0, 40, 1) for t in range(40)]


@pytest.mark.parametrize("schedule", each(AnySchedule), ids=name)
def test_by_epoch_the_step_does_not_matter(schedule: Schedule) -> None:
    assert len({schedule.rate(ALPHA, 5, step, 10, 4) for step in range(20, 24)}) == 1


@pytest.mark.parametrize("schedule", each(AnySchedule), ids=name)
def test_warm_up_rises_linearly_and_the_schedule_begins_behind_it(schedule: Schedule) -> None:
    warm = schedule.model_copy(update={"warmup": 9})
    ours = [warm.rate(ALPHA, epoch, 0, END + 9, 1) for epoch in range(END + 9)]
    np.testing.assert_allclose(ours[:9], OPTAX["from a tenth in 9"][:9], rtol=1e-12)
    assert ours[9:] == [schedule.rate(ALPHA, epoch, 0, END, 1) for epoch in range(END)]


@pytest.mark.parametrize("schedule", each(AnySchedule), ids=name)
@pytest.mark.parametrize("warmup", [0, 3, 50])
def test_every_rate_of_a_run_is_positive_and_finite(schedule: Schedule, warmup: int) -> None:
    warm = schedule.model_copy(update={"warmup": warmup})
    rates = np.array([warm.rate(ALPHA, epoch, epoch, 20, 1) for epoch in range(20)])
    assert np.isfinite(rates).all() and (rates > 0).all()


def test_the_rows_of_a_table_may_stand_in_any_order() -> None:
    assert Table(rates=((9, 0.1), (2, 0.2)))(ALPHA, 5, END) == 0.2
