"""A little of `make chaos`: workers are killed, and nobody can tell from the results."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.mutants import MUTANTS
from tests.chaos.runs import Chaos, Plan, cancels_racing_the_end, chaos, plan_against, random_faults
from tests.chaos.verdict import Verdict

SHORT = {"length": 0.15, "kinds": ("few long epochs", "dropout and batch norm"), "at_once": 2, "saved": True}


def verdict_of(run: Callable[[Chaos], Verdict], plan: Plan, folder: Path) -> Verdict:
    with chaos(plan, folder, print) as running:
        return run(running)


@pytest.mark.accept
def test_killed_workers_leave_no_trace_in_the_results(tmp_path: Path) -> None:
    verdict = verdict_of(random_faults, Plan(seed=3, kills=3, **SHORT), tmp_path)  # type: ignore[arg-type]
    assert verdict.complaints == []
    assert verdict.figures["resumed"] >= 1


@pytest.mark.chaos
def test_killed_frozen_and_wiped_on_postgresql(tmp_path: Path, postgresql_schema: str) -> None:
    plan = Plan(seed=4, kills=10, freezes=1, wipes=1, database_url=postgresql_schema)
    assert verdict_of(random_faults, plan, tmp_path).complaints == []


@pytest.mark.chaos
def test_a_cancel_that_races_the_end_has_one_outcome(tmp_path: Path) -> None:
    assert verdict_of(cancels_racing_the_end, Plan(seed=5, cancels=40), tmp_path).complaints == []


@pytest.mark.chaos
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_worker_with_something_wrong_is_noticed(tmp_path: Path, mutant: str) -> None:
    assert verdict_of(random_faults, plan_against(mutant, seed=6), tmp_path).complaints
